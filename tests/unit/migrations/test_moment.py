"""When a migration waits, and what overrides that."""

from datetime import UTC, datetime

import pytest

from haven.errors import Unavailable
from haven.migrations.moment import Moment, Objection, check_moment, objections
from haven.stack.windows import is_open

MONDAY = datetime(2026, 11, 23, 3, 30, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)

WINDOWS = [
    ("03:00-04:00", MONDAY, True),
    ("03:30-04:00", MONDAY, True),
    ("03:00-03:30", MONDAY, False),
    ("04:00-05:00", MONDAY, False),
    ("23:00-04:00", MONDAY, True),
    ("23:00-03:00", MONDAY, False),
    ("sun:04:00-sun:05:00", SUNDAY, True),
    ("sun:04:00-sun:05:00", MONDAY, False),
    ("sun:23:00-mon:04:00", MONDAY, True),
    ("sun:23:00-mon:03:00", MONDAY, False),
    ("mon:03:00-mon:03:31", MONDAY, True),
    ("tue:03:00-tue:04:00", MONDAY, False),
]


@pytest.mark.parametrize(("window", "now", "expected"), WINDOWS)
def test_windows_are_open_or_not(window, now, expected):
    assert is_open(window, now) is expected


MOMENTS = {
    "nothing": ({}, {}),
    "windows closed": ({"backup_window": "05:00-06:00"}, {}),
    "backup": (
        {"backup_window": "03:00-04:00"},
        {"backup-window": "the backup window 03:00-04:00 UTC is open"},
    ),
    "maintenance": (
        {"maintenance_window": "mon:03:00-mon:04:00"},
        {"maintenance-window": "the maintenance window mon:03:00-mon:04:00 UTC is open"},
    ),
    "busy": ({"status": "modifying"}, {"instance-busy": "db is modifying"}),
    "behind": (
        {"behind": {"two": "could not be asked", "one": "has not replayed 0/1 within 10 s"}},
        {"replica-behind": "one has not replayed 0/1 within 10 s; two could not be asked"},
    ),
}


@pytest.mark.parametrize(("given", "expected"), MOMENTS.values(), ids=MOMENTS)
def test_what_stands_against_it(given, expected):
    moment = Moment(MONDAY, "db", **given)
    assert objections(moment) == expected
    check_moment(moment, [Objection(name) for name in expected])
    if expected:
        with pytest.raises(Unavailable) as raised:
            check_moment(moment, [])
        for name, text in expected.items():
            assert f"{text} ({name})" in str(raised.value)
            assert f"--param despite={name}" in str(raised.value)


def test_each_is_overridden_by_its_own_name():
    moment = Moment(MONDAY, "db", status="modifying", backup_window="03:00-04:00")
    with pytest.raises(Unavailable, match="backup window") as raised:
        check_moment(moment, [Objection.INSTANCE_BUSY])
    assert "modifying" not in str(raised.value)
