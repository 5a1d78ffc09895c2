"""Which WAL and which base a restore needs, and what may go."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

pytest.importorskip("moto")

from localcloud import archive, wal, wal_commands
from localcloud.archive import Base, OutsideWindowError, Point, Store
from localcloud.kept import Kept
from localcloud.rds import backup_times
from localcloud.wal import MissingWalError


def segment(place: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{place >> 12:08X}{place & 0xFFF:08X}"


def moment(minute: int) -> dt.datetime:
    return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)


ALL = [segment(place) for place in range(4094, 4100)]
NEEDED = [
    (ALL, 4095, segment(4097), [4095, 4096, 4097]),
    (ALL, 4094, segment(4094), [4094]),
    ([*ALL, "00000002.history", "junk", segment(4096) + ".partial"], 4096, segment(4096), [4096]),
]


@pytest.mark.parametrize(("names", "first", "last", "wanted"), NEEDED)
def test_the_segments_from_one_to_another(
    names: list[str], first: int, last: str, wanted: list[int]
) -> None:
    assert [wal.number(name) for name in wal.needed(names, segment(first), last)] == wanted


MISSING = [
    ([], 1, segment(1)),
    ([segment(1), segment(3)], 1, segment(3)),
    ([segment(2), segment(3)], 1, segment(3)),
    ([segment(1), segment(2)], 1, segment(3)),
    ([segment(1), segment(2), segment(3)], 1, segment(3, 2)),
    ([segment(1), segment(2, 3), segment(3)], 1, segment(3)),
]


@pytest.mark.parametrize(("names", "first", "last"), MISSING)
def test_a_gap_is_never_passed_over(names: list[str], first: int, last: str) -> None:
    with pytest.raises(MissingWalError):
        wal.needed(names, segment(first), last)


def test_over_a_change_of_timeline() -> None:
    names = [segment(1), segment(2), segment(2, 2), segment(3, 2), "00000002.history"]
    found = wal.needed([*names, "00000003.history", segment(3, 3)], segment(1), segment(3, 2))
    assert sorted(found) == sorted(names)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [(segment(0), "0/100000"), (segment(1), "0/200000"), (segment(4095), "1/0")],
)
def test_where_a_segment_ends(name: str, wanted: str) -> None:
    assert wal.end(name) == wanted


def store(place: Path) -> Store:
    made = Store(place)
    made.wal.mkdir()
    for number in range(1, 10):
        (made.wal / segment(number)).touch()
    (made.wal / f"{segment(1)}.00000028.backup").touch()
    made.bases = [
        Base(Kept(place / "one"), segment(1), moment(10)),
        Base(Kept(place / "two"), segment(5), moment(50)),
    ]
    made.points = [
        Point(moment(11), segment(2)),
        Point(moment(40), segment(4)),
        Point(moment(51), segment(6)),
        Point(moment(60), segment(8)),
    ]
    return made


PLANS = [
    (10, "one", 2),
    (11, "one", 2),
    (12, "one", 4),
    (49, "one", 6),
    (50, "two", 6),
    (52, "two", 8),
    (60, "two", 8),
    (None, "two", 8),
]


@pytest.mark.parametrize(("minute", "base", "last"), PLANS)
def test_the_newest_base_before_a_moment(
    tmp_path: Path, minute: int | None, base: str, last: int
) -> None:
    made = store(tmp_path)
    plan = archive.plan(made, None if minute is None else moment(minute))
    assert plan.base.copy.directory.name == base
    assert plan.last == segment(last)


@pytest.mark.parametrize(("minute", "word"), [(9, "earlier"), (61, "later")])
def test_outside_of_the_window(tmp_path: Path, minute: int, word: str) -> None:
    with pytest.raises(OutsideWindowError, match=word):
        archive.plan(store(tmp_path), moment(minute))


def test_nothing_kept_is_no_window(tmp_path: Path) -> None:
    with pytest.raises(OutsideWindowError):
        archive.plan(Store(tmp_path), None)


def test_a_base_goes_with_its_wal_and_the_newest_stays(tmp_path: Path) -> None:
    made = store(tmp_path)
    (first,) = archive.expired(made.bases, moment(1000), lambda real: real)
    archive.forget(made, first)
    assert made.earliest == moment(50)
    assert min(made.names()) == segment(5)
    assert archive.expired(made.bases, moment(1000), lambda real: real) == []
    assert archive.plan(made, moment(51)).last == segment(6)


def test_the_age_is_by_the_clock_that_is_asked(tmp_path: Path) -> None:
    made = store(tmp_path)
    ahead = dt.timedelta(days=1)
    assert archive.expired(made.bases, moment(1000), lambda real: real + ahead) == []


def test_what_is_read_goes_when_it_has_been_read(tmp_path: Path) -> None:
    directory = tmp_path / "copy"
    directory.mkdir()
    copy = Kept(directory)
    with copy.held():
        copy.discard()
        assert directory.is_dir()
    assert not directory.exists()


def test_commands_are_safe_in_any_place() -> None:
    text = wal_commands.store(Path("/a b/50%/it's"))
    assert "50%%" in text
    assert text.count("%f") == 6
    assert "'/a b/" in text


@pytest.mark.parametrize(
    ("hour", "wanted"), [(0, 3 * 3600.0), (2, 3600.0), (3, 86400.0), (4, 23 * 3600.0)]
)
def test_the_window_begins_next(hour: int, wanted: float) -> None:
    now = dt.datetime(2026, 1, 1, hour, tzinfo=dt.UTC)
    assert backup_times.until_window(now, "03:00-04:00") == wanted
