"""When backups are due: WAL every five minutes, a base backup once a day."""

from __future__ import annotations

import datetime as dt

from localcloud.rds import windows

EVERY = 300.0
_DAY = 86400.0


def until_window(now: dt.datetime, window: str) -> float:
    """Return the seconds until the daily window begins next."""
    start, _ = windows.daily(window)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return (dt.timedelta(minutes=start) - (now - midnight)).total_seconds() % _DAY or _DAY
