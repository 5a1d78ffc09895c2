"""Rows one by one: what a manifest knows of each, and what became of it in a restored copy.

A manifest keeps of each row the hash of its key and the hash of the whole; of a table that may lose
rows by rule also the moment from which the row may be gone.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from haven.verification.fingerprint import BUCKETS, Sum

# A row that may never be gone.
NEVER = 2**62
_PAIR = struct.Struct("!qq")
_TRIPLE = struct.Struct("!qqq")
SHOWN = 5
ALL = range(BUCKETS)


@dataclass(frozen=True, slots=True)
class Known:
    """A row as a manifest knows it. ``may_go`` is in seconds since 1970."""

    key: int
    whole: int
    may_go: int = NEVER


class Written(StrEnum):
    """When a row version of a restored copy was written.

    Before, during or after the snapshot of a manifest; or later than the moment that was restored
    to, which only a change of the copy itself can be.
    """

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"
    LATER = "later"


_NEWER = frozenset({Written.DURING, Written.AFTER})


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as a restored copy has it."""

    key: int
    whole: int
    written: Written


class Wrong(StrEnum):
    """What can be wrong with a row."""

    MISSING = "is missing"
    DIFFERENT = "has other values, though nobody wrote it since"
    EXTRA = "was not there, though nobody wrote it since"
    LATER = "was written after the moment that was restored to"


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A row that nothing explains; ``key`` is the hash of its key, which names no patient."""

    bucket: int
    key: int
    what: Wrong

    @property
    def text(self) -> str:
        """Say it."""
        return f"the row with key hash {self.key} in bucket {self.bucket} {self.what}"


@dataclass(slots=True)
class Tally:
    """How many rows are proven equal, how many changes are explained, and what is not."""

    equal: int = 0
    written_since: int = 0
    gone_by_rule: int = 0
    unexplained: list[Unexplained] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.equal += other.equal
        self.written_since += other.written_since
        self.gone_by_rule += other.gone_by_rule
        self.unexplained += other.unexplained

    def excuse_replaced(self) -> None:
        """Let as many missing rows pass as were written since: of a table without a key.

        There, the row before an update and the one after it have nothing in common to be told by.
        """
        left = self.written_since
        kept = []
        for row in self.unexplained:
            if row.what is Wrong.MISSING and left:
                left -= 1
            else:
                kept.append(row)
        self.unexplained = kept

    @property
    def explained(self) -> int:
        """Rows that differ, and rightly so."""
        return self.written_since + self.gone_by_rule


def bucket_of(key: int) -> int:
    """Return the bucket of a row by the hash of its key."""
    return key & (BUCKETS - 1)


def packed(numbers: Iterable[int]) -> bytes:
    """Write the numbers of rows, one after the other, as a manifest keeps them."""
    body = array("q", numbers)
    if sys.byteorder == "little":
        body.byteswap()
    return body.tobytes()


def unpack(data: bytes, *, losing: bool, buckets: Container[int] = ALL) -> Iterator[Known]:
    """Read rows as a manifest keeps them, those of some buckets only.

    Each has 16 bytes, or 24 where a table may lose rows. Raises ``ValueError`` for other lengths.
    """
    form = _TRIPLE if losing else _PAIR
    if len(data) % form.size:
        raise ValueError(f"{len(data)} bytes are no whole number of rows of {form.size}")
    rows = form.iter_unpack(data)
    return (Known(*values) for values in rows if bucket_of(values[0]) in buckets)


def sums_of(rows: Iterable[Known]) -> dict[int, Sum]:
    """Return the fingerprints of rows, by bucket."""
    counts: Counter[int] = Counter()
    totals: Counter[int] = Counter()
    for row in rows:
        bucket = bucket_of(row.key)
        counts[bucket] += 1
        totals[bucket] += row.whole
    return {bucket: Sum(count, totals[bucket]) for bucket, count in counts.items()}


def compare(known: Iterable[Known], seen: Iterable[Seen], until: float) -> Tally:
    """Hold the rows of one or more buckets against those of a copy restored to ``until``.

    Rows that are the same cancel out, twice the same row twice. What is left over is explained by a
    row version that was written after, or during, the manifest's snapshot, or by a rule by which
    rows may be gone at ``until``, in seconds since 1970; or it is a failure.
    """
    rows = list(known)
    tally = Tally()
    left = Counter((row.key, row.whole) for row in rows)
    newer: Counter[int] = Counter()
    for one in seen:
        if left.get((one.key, one.whole), 0) and one.written is not Written.LATER:
            left[one.key, one.whole] -= 1
            tally.equal += 1
        elif one.written in _NEWER:
            newer[one.key] += 1
            tally.written_since += 1
        else:
            what = Wrong.LATER if one.written is Written.LATER else Wrong.EXTRA
            tally.unexplained.append(_unexplained(one.key, what))
    _account(left, newer, {row.key: row.may_go for row in rows}, until, tally)
    return tally


def _account(
    left: Mapping[tuple[int, int], int],
    newer: Counter[int],
    may_go: Mapping[int, int],
    until: float,
    tally: Tally,
) -> None:
    """Account for each row that was known and is not there as it was."""
    replaced = {row.key: place for place, row in enumerate(tally.unexplained)}
    for (key, _whole), count in left.items():
        for _ in range(count):
            if newer[key]:
                newer[key] -= 1
            elif key in replaced:
                # One that differs, and not one too many and one missing.
                _replaced(tally.unexplained, replaced.pop(key))
            elif may_go[key] <= until:
                tally.gone_by_rule += 1
            else:
                tally.unexplained.append(_unexplained(key, Wrong.MISSING))


def _replaced(found: list[Unexplained], place: int) -> None:
    if found[place].what is Wrong.EXTRA:
        found[place] = _unexplained(found[place].key, Wrong.DIFFERENT)


def _unexplained(key: int, what: Wrong) -> Unexplained:
    return Unexplained(bucket_of(key), key, what)


def told(relation: str, found: Sequence[Unexplained]) -> str:
    """Say what is wrong with a relation's rows, of many the first only."""
    shown = "; ".join(row.text for row in found[:SHOWN])
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return f"{relation}: {shown}{more}"
