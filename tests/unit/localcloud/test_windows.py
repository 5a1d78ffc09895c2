"""Backup and maintenance windows: what overlaps and what only touches."""

from __future__ import annotations

import pytest

pytest.importorskip("moto")

from localcloud.rds import faults, windows

ROWS = [
    ("03:00-04:00", "sun:04:00-sun:05:00", False),
    ("03:00-04:01", "sun:04:00-sun:05:00", True),
    ("05:00-05:30", "sun:04:00-sun:05:00", False),
    ("04:59-05:30", "sun:04:00-sun:05:00", True),
    ("23:30-00:30", "mon:00:00-mon:00:30", True),
    ("23:30-00:00", "mon:00:00-mon:00:30", False),
    ("23:30-00:30", "sun:23:45-mon:01:00", True),
    ("12:00-12:30", "sat:12:30-sun:12:00", False),
    ("12:00-12:30", "sat:12:29-sun:12:00", True),
    ("06:00-06:30", "sun:08:00-sun:08:30", False),
]


@pytest.mark.parametrize(("backup", "maintenance", "overlap"), ROWS)
def test_overlap(backup: str, maintenance: str, *, overlap: bool) -> None:
    assert windows.overlap(backup, maintenance) is overlap


@pytest.mark.parametrize("window", ["3:00-4:00", "03:00", "25:00-26:00", "03:00-03:29", ""])
def test_malformed_daily(window: str) -> None:
    with pytest.raises(faults.Fault, match="InvalidParameterValue"):
        windows.daily(window)


@pytest.mark.parametrize(
    "window", ["sun:04:00", "04:00-05:00", "sun:04:00-sun:04:10", "sun:04:00-mon:05:00"]
)
def test_malformed_weekly(window: str) -> None:
    with pytest.raises(faults.Fault, match="InvalidParameterValue"):
        windows.weekly(window)
