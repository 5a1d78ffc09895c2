"""Which part of a database one run reads: all of it, or what was not read for the longest time.

A large database is not hashed whole every day. A budget of bytes chooses relations, and of large
ones ranges of buckets, so that every part has its turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from haven.verification.fingerprint import BUCKETS, Relation, Span
from haven.verification.manifest import Held, Manifest

# A unit's rows are held in memory as hashes, 16 bytes each.
ROWS_PER_UNIT = 1_000_000
UNLOGGED = "unlogged: it is empty after every restore"
UNREADABLE = "the role may not read it"
EVERYTHING_WITHIN = timedelta(days=31)
_NEVER = datetime.min.replace(tzinfo=UTC)
Read = Mapping[str, datetime]  # by name of a unit: when it was last proven


@dataclass(frozen=True, slots=True)
class Unit:
    """A relation, or a range of its buckets."""

    relation: Relation
    span: Span = Span()

    @property
    def name(self) -> str:
        """What reports call it."""
        return unit_name(self.relation.identity, self.span)

    @property
    def bytes(self) -> float:
        """How much has to be hashed of it."""
        return self.relation.size * self.span.share


@dataclass(frozen=True, slots=True)
class Share:
    """What is read in one run, and what is not, with the reason for each."""

    units: tuple[Unit, ...]
    left: Mapping[str, str] = field(default_factory=dict)
    late: tuple[str, ...] = ()


def unit_name(relation: str, span: Span) -> str:
    """Return the name of a relation, or of a range of its buckets."""
    return relation if span.whole else f"{relation} buckets {span.first}-{span.last}"


def units_of(relation: Relation) -> list[Unit]:
    """Divide a relation so that each unit has about a million rows."""
    parts = 1
    while parts < BUCKETS and relation.estimate > parts * ROWS_PER_UNIT:
        parts *= 2
    width = BUCKETS // parts
    return [Unit(relation, Span(first, first + width - 1)) for first in range(0, BUCKETS, width)]


def choose(relations: Sequence[Relation], read: Read, budget: int, now: datetime) -> Share:
    """Choose what to read, at most ``budget`` bytes but at least one unit; 0 bytes are no limit.

    What was not proven for longest comes first. ``late`` is what will not be read now and is older
    than a month.
    """
    left = {item.identity: reason for item in relations if (reason := _unfit(item))}
    units = [unit for item in relations if item.identity not in left for unit in units_of(item)]
    if not budget or sum(unit.bytes for unit in units) <= budget:
        return Share(tuple(units), left)
    chosen: list[Unit] = []
    late: list[str] = []
    spent = 0.0
    for unit in sorted(units, key=lambda one: (read.get(one.name, _NEVER), one.name)):
        if not chosen or spent + unit.bytes <= budget:
            chosen.append(unit)
            spent += unit.bytes
            continue
        last = read.get(unit.name)
        left[unit.name] = (
            f"not its turn; proven last {last:%Y-%m-%d}" if last else "not its turn yet"
        )
        if last is not None and now - last > EVERYTHING_WITHIN:
            late.append(unit.name)
    return Share(tuple(chosen), left, tuple(late))


def _unfit(relation: Relation) -> str:
    if not relation.logged:
        return UNLOGGED
    return "" if relation.readable else UNREADABLE


def may_be_closed(unit: Unit, earlier: Manifest | None) -> Held | None:
    """Return what an earlier manifest knows of a unit, if it is a whole partition.

    Others are written to all the time; to look whether they were would cost more than it saves.
    """
    if earlier is None or not unit.relation.root or not unit.span.whole:
        return None
    found = (one for one in earlier.held if one.relation == unit.relation.identity)
    return next((one for one in found if one.span.whole), None)
