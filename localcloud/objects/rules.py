"""When a lifecycle rule is due for an object, and to which class it goes. Pure.

S3 User Guide, "Lifecycle actions: how long objects are kept" and "Transitioning objects": the days
are added to the moment of creation and rounded up to the next midnight UTC; objects below 128 KiB are
not moved unless a rule says otherwise; nothing moves back to a warmer class.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEAST_BYTES = 128 * 1024
# From warm to cold.
CLASSES = (
    "STANDARD",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is enabled: whom it is for, and after how many days what happens; None is never."""

    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    transitions: tuple[tuple[int, str], ...] = ()
    expires: int | None = None
    noncurrent_transitions: tuple[tuple[int, str], ...] = ()
    noncurrent_expires: int | None = None
    removes_lone_markers: bool = False
    aborts_uploads: int | None = None

    def fits(self, key: str, tags: Iterable[tuple[str, str]] = ()) -> bool:
        """Tell whether the rule is for an object."""
        return key.startswith(self.prefix) and set(self.tags) <= set(tags)


def is_due(since: dt.datetime, days: int | None, now: dt.datetime) -> bool:
    """Tell whether so many days after a moment, rounded up to midnight, are over."""
    if days is None:
        return False
    reached = since + dt.timedelta(days=days)
    midnight = reached.replace(hour=0, minute=0, second=0, microsecond=0)
    return now >= (midnight if midnight == reached else midnight + dt.timedelta(days=1))


def moved_to(
    present: str,
    size: int,
    transitions: Sequence[tuple[int, str]],
    since: dt.datetime,
    now: dt.datetime,
) -> str:
    """Return the class that an object is in once every transition that is due was made."""
    if size < LEAST_BYTES:
        return present
    due = [name for days, name in transitions if is_due(since, days, now)]
    return max([present, *due], key=_coldness)


def _coldness(name: str) -> int:
    return CLASSES.index(name) if name in CLASSES else 0
