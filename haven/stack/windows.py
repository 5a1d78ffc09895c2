"""Backup and maintenance windows: their form, their length, and that they do not overlap."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BACKUP_WINDOW = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")
MAINTENANCE_WINDOW = re.compile(
    r"(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]"
    r"-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]"
)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)


def check_windows(backup: str, maintenance: str) -> None:
    """Refuse malformed, short or overlapping windows; windows that only touch are fine.

    RDS: both are at least 30 minutes, in UTC, and must not overlap.
    """
    if not BACKUP_WINDOW.fullmatch(backup):
        raise ValueError(f"window {backup!r} must look like 03:00-04:00 (UTC)")
    if not MAINTENANCE_WINDOW.fullmatch(maintenance):
        raise ValueError(f"maintenance_window {maintenance!r} must look like sun:04:00-sun:05:00")
    daily_start, daily_length = _span(_minutes(backup[:5]), _minutes(backup[6:]), DAY)
    start_text, end_text = maintenance.split("-")
    week_start, week_length = _span(_week_minutes(start_text), _week_minutes(end_text), WEEK)
    for name, length in (("window", daily_length), ("maintenance_window", week_length)):
        if length < timedelta(minutes=30):
            raise ValueError(f"{name} must be at least 30 minutes long")
    for day in range(-1, 8):
        begin = daily_start + day * DAY
        if begin < week_start + week_length and week_start < begin + daily_length:
            raise ValueError(
                f"window '{backup}' overlaps maintenance_window '{maintenance}': move one of them"
            )


def is_open(window: str, now: datetime) -> bool:
    """Tell whether a window of either form is open; ``now`` is in UTC."""
    start_text, end_text = window.split("-")
    midnight = timedelta(hours=now.hour, minutes=now.minute, seconds=now.second)
    if ":" in start_text[:3]:
        start, length = _span(_minutes(start_text), _minutes(end_text), DAY)
        return (midnight - start) % DAY < length
    start, length = _span(_week_minutes(start_text), _week_minutes(end_text), WEEK)
    return (now.weekday() * DAY + midnight - start) % WEEK < length


def _minutes(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _week_minutes(text: str) -> timedelta:
    return DAYS.index(text[:3]) * DAY + _minutes(text[4:])


def _span(start: timedelta, end: timedelta, cycle: timedelta) -> tuple[timedelta, timedelta]:
    return start, (end - start) % cycle
