"""Which snapshot a run leaves behind before its first file: a new one, or one that shows the same."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# After a run that was cut off; what was written since such a snapshot would be lost with it.
SAME_FOR = timedelta(hours=1)
THERE = frozenset({"creating", "available"})


class Wish(StrEnum):
    """When a snapshot is taken before the first file."""

    WHERE_KEPT = "where-kept"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Taken:
    """A manual snapshot that is there: of which instance, whose by its tags, and since when."""

    resource_id: str
    owner: str
    status: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What a snapshot is to show: an instance of a stack, since its ledger was last changed."""

    resource_id: str
    owner: str
    now: datetime
    changed: datetime | None = None


def is_wanted(wish: Wish, *, disposable: bool) -> bool:
    """Tell whether to take a snapshot; nobody depends on a disposable stack."""
    return wish is Wish.ALWAYS or (wish is Wish.WHERE_KEPT and not disposable)


def snapshot_name(base: str, taken: Mapping[str, Taken], shown: Shown) -> str:
    """Return the name of the snapshot to take, or of one that is there and shows the same.

    A name that another one has, of an earlier attempt or another instance, is counted up.
    """
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken or _shows(taken[name], shown))


def _shows(there: Taken, shown: Shown) -> bool:
    return (
        (there.resource_id, there.owner) == (shown.resource_id, shown.owner)
        and there.status in THERE
        and shown.now - there.created <= SAME_FOR
        and (shown.changed is None or there.created > shown.changed)
    )
