"""Where an old primary and the new one parted: what the old one has that the new one lacks, by key.

Both say of each row whether it was written before the point at which they parted or after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from haven.verification.fingerprint import Standing, Sum, added
from haven.verification.rows import Seen, Written


class Fate(StrEnum):
    """What became of a row that the old primary wrote after the two had parted."""

    LOST = "lost"
    CHANGE_LOST = "change lost"
    DELETION_LOST = "deletion lost"
    BOTH_WROTE = "both wrote"


@dataclass(slots=True)
class Parted:
    """The hashes of keys by what became of their rows."""

    keys: dict[Fate, list[int]] = field(default_factory=lambda: {fate: [] for fate in Fate})

    @property
    def count(self) -> int:
        """How many rows are concerned."""
        return sum(len(found) for found in self.keys.values())

    def add(self, other: Parted) -> None:
        """Take others in."""
        for fate, found in other.keys.items():
            self.keys[fate] += found


def differs(old: Standing, new: Standing, *, still: bool = False) -> bool:
    """Tell whether a set of rows has to be looked at one by one.

    Where the new side stands ``still``, nobody wrote there since, and all of it is compared.
    """
    if still:
        return _all(old) != _all(new)
    return bool(old.rows - old.before.count) or old.before != new.before


def _all(rows: Standing) -> Sum:
    return added((rows.before, rows.during, rows.after, rows.later))


def part_at_rest(old: Iterable[Seen], new: Iterable[Seen]) -> Parted:
    """Sort the rows of the same buckets where nobody has written on the new side since."""
    return part(
        (replace(row, written=Written.AFTER) for row in old),
        (replace(row, written=Written.BEFORE) for row in new),
    )


def part(old: Iterable[Seen], new: Iterable[Seen]) -> Parted:
    """Sort the rows of the same buckets on both sides."""
    there, here = _by_key(old), _by_key(new)
    parted = Parted()
    for key in there.keys() | here.keys():
        fate = _fate(there.get(key), here.get(key))
        if fate is not None:
            parted.keys[fate].append(key)
    return parted


def _by_key(rows: Iterable[Seen]) -> Mapping[int, Seen]:
    return {row.key: row for row in rows}


def _fate(old: Seen | None, new: Seen | None) -> Fate | None:
    if old is None:
        # It was deleted on the old side, unless only the new one ever had it.
        is_older = new is not None and new.written is Written.BEFORE
        return Fate.DELETION_LOST if is_older else None
    if old.written is Written.BEFORE:
        return None
    if new is None:
        return Fate.LOST
    if new.whole == old.whole:
        return None
    return Fate.CHANGE_LOST if new.written is Written.BEFORE else Fate.BOTH_WROTE
