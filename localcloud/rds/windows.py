"""Backup and maintenance windows: their form, and whether they overlap.

Windows that only touch do not overlap, and a weekly window meets the daily one on its own day.
"""

from __future__ import annotations

import re

from localcloud.rds import faults

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAILY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_WEEKLY = re.compile(
    r"(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):([0-5]\d)-"
    r"(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):([0-5]\d)"
)
_DAY = 24 * 60
_WEEK = 7 * _DAY
_SHORTEST = 30

Span = tuple[int, int]


def daily(window: str) -> Span:
    """Return a backup window as minutes of the day: start and length."""
    found = _DAILY.fullmatch(window)
    if not found:
        raise faults.invalid_value(
            f"The parameter PreferredBackupWindow is not a valid window: {window}. "
            "It must be in the format hh24:mi-hh24:mi."
        )
    start = int(found[1]) * 60 + int(found[2])
    length = (int(found[3]) * 60 + int(found[4]) - start) % _DAY
    if length < _SHORTEST:
        raise faults.invalid_value("The backup window must be at least 30 minutes.")
    return start, length


def weekly(window: str) -> Span:
    """Return a maintenance window as minutes of the week: start and length."""
    found = _WEEKLY.fullmatch(window.lower())
    if not found:
        raise faults.invalid_value(
            f"The parameter PreferredMaintenanceWindow is not a valid window: {window}. "
            "It must be in the format ddd:hh24:mi-ddd:hh24:mi."
        )
    start = _DAYS.index(found[1]) * _DAY + int(found[2]) * 60 + int(found[3])
    end = _DAYS.index(found[4]) * _DAY + int(found[5]) * 60 + int(found[6])
    length = (end - start) % _WEEK
    if not _SHORTEST <= length <= _DAY:
        raise faults.invalid_value("The maintenance window must be 30 minutes to 24 hours.")
    return start, length


def overlap(backup: str, maintenance: str) -> bool:
    """Tell whether the two windows share a minute."""
    start, length = daily(backup)
    weekly_start, weekly_length = weekly(maintenance)
    for day in range(-1, 8):
        begin = day * _DAY + start
        for shift in (-_WEEK, 0, _WEEK):
            other = weekly_start + shift
            if begin < other + weekly_length and other < begin + length:
                return True
    return False


def check(backup: str, maintenance: str) -> None:
    """Raise the fault when the windows are malformed or overlap."""
    if overlap(backup, maintenance):
        raise faults.invalid_value("The backup window and maintenance window must not overlap.")
