"""Which snapshot is taken before migrations: rows of cases."""

from datetime import UTC, datetime, timedelta

import pytest

from haven.migrations.snapshot import Shown, Taken, Wish, is_wanted, snapshot_name

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BASE = "haven-prod-primary-premig-0007"


def at(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def taken(minutes: float, resource="db-A", owner="haven-prod", status="available") -> Taken:
    return Taken(resource, owner, status, at(minutes))


@pytest.mark.parametrize(
    ("there", "changed", "wanted"),
    [
        ({}, None, BASE),
        ({BASE: taken(5)}, None, BASE),
        ({BASE: taken(5, status="creating")}, at(10), BASE),
        ({BASE: taken(60)}, at(90), BASE),
        ({BASE: taken(61)}, at(90), f"{BASE}-2"),
        ({BASE: taken(5)}, at(4), f"{BASE}-2"),
        ({BASE: taken(5)}, at(5), f"{BASE}-2"),
        ({BASE: taken(5, status="failed")}, None, f"{BASE}-2"),
        ({BASE: taken(5, resource="db-B")}, None, f"{BASE}-2"),
        ({BASE: taken(5, owner="")}, None, f"{BASE}-2"),
        ({BASE: taken(500), f"{BASE}-2": taken(5)}, at(400), f"{BASE}-2"),
        ({BASE: taken(500), f"{BASE}-2": taken(450)}, at(400), f"{BASE}-3"),
        ({BASE: taken(500), f"{BASE}-3": taken(5)}, at(400), f"{BASE}-2"),
        ({"another": taken(5)}, None, BASE),
    ],
)
def test_one_that_shows_the_same_is_kept_and_others_are_not_touched(there, changed, wanted):
    assert snapshot_name(BASE, there, Shown("db-A", "haven-prod", NOW, changed)) == wanted


@pytest.mark.parametrize(
    ("wish", "disposable", "wanted"),
    [
        (Wish.WHERE_KEPT, False, True),
        (Wish.WHERE_KEPT, True, False),
        (Wish.ALWAYS, True, True),
        (Wish.NEVER, False, False),
    ],
)
def test_a_kept_stack_has_snapshots(wish, disposable, wanted):
    assert is_wanted(wish, disposable=disposable) is wanted
