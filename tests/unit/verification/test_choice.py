"""Which backup is verified: moments in windows, snapshots by name or age."""

from datetime import UTC, datetime, timedelta

import pytest

from haven.errors import Refused
from haven.verification.choice import Copy, Window, check_moment, choose_copy, moment_in

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=35)
WINDOW = Window("arn", "us-east-1", FIRST, LAST)
EMPTY = Window("arn", "us-east-1", None, None)


def test_a_random_moment_is_in_the_window_and_the_same_for_a_seed():
    moments = [moment_in(WINDOW, seed) for seed in range(200)]
    assert all(FIRST < moment < LAST for moment in moments)
    assert len(set(moments)) == 200
    assert max(moments) - min(moments) > timedelta(days=30)
    assert moment_in(WINDOW, 7) == moment_in(WINDOW, 7)


def test_a_short_window_has_moments_too():
    short = Window("arn", "us-east-1", FIRST, FIRST + timedelta(seconds=4))
    assert FIRST < moment_in(short, 1) < FIRST + timedelta(seconds=4)


@pytest.mark.parametrize("window", [EMPTY, Window("arn", "us-east-1", FIRST, FIRST)])
def test_a_window_without_a_moment_is_refused(window):
    with pytest.raises(Refused, match="cannot be restored from yet"):
        moment_in(window, 1)


@pytest.mark.parametrize("moment", [FIRST - timedelta(seconds=1), LAST + timedelta(seconds=1)])
def test_a_moment_outside_is_refused_with_the_window(moment):
    with pytest.raises(Refused, match="reach from 2026-01-01 00:00:00 to 2026-02-05 00:00:00"):
        check_moment(WINDOW, moment)


def test_the_edges_are_inside():
    check_moment(WINDOW, FIRST)
    check_moment(WINDOW, LAST)


def copy(name, day, *, available=True):
    return Copy(name, f"arn:{name}", FIRST + timedelta(days=day), available)


COPIES = [copy("a", 1), copy("c", 3, available=False), copy("b", 2)]


def test_the_newest_snapshot_that_is_available_is_chosen_or_the_one_named():
    assert choose_copy(COPIES, "").name == "b"
    assert choose_copy(COPIES, "a").name == "a"
    assert choose_copy(COPIES, "arn:a").name == "a"


@pytest.mark.parametrize(("copies", "name"), [([], ""), (COPIES, "c"), (COPIES, "d")])
def test_where_there_is_none_it_is_refused(copies, name):
    with pytest.raises(Refused, match=r"Known: (none|a, b, c)"):
        choose_copy(copies, name)
