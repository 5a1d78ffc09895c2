"""Tables and indexes: bloat, dead rows, wraparound, what nobody uses or what is there twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from haven.diagnosis.findings import Finding, Limits, Trouble, shown

BILLIONS = 2**31


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the statistics have it; sizes in bytes, ages in transactions.

    ``name`` is quoted as SQL wants it. ``vacuumed`` is when it was last vacuumed, by whomever.
    """

    name: str
    live: int
    dead: int
    bytes: int
    age: int
    multixact_age: int
    vacuumed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waste:
    """A table or index that was looked into: its bytes, and those that hold nothing."""

    name: str
    is_index: bool
    bytes: int
    wasted: int


@dataclass(frozen=True, slots=True)
class Index:
    """An index; those of partitions are told by their parent's.

    ``needed`` says that a key or a constraint stands on it; ``definition`` is the same of two that
    do the same on one table.
    """

    name: str
    table: str
    bytes: int
    needed: bool
    definition: str


@dataclass(frozen=True, slots=True)
class Usage:
    """How often a server used each index, since when its statistics count."""

    server: str
    since: datetime | None
    scans: Mapping[str, int]


def dead_rows(tables: Sequence[Table], limits: Limits) -> Iterator[Finding]:
    """Yield tables of which much is dead rows: autovacuum does not keep up, or something holds it."""
    for one in tables:
        share = one.dead / max(1, one.live + one.dead)
        if one.dead >= limits.dead_rows and share >= limits.dead_share:
            when = (
                f"vacuumed last {one.vacuumed:%Y-%m-%d %H:%M}" if one.vacuumed else "never vacuumed"
            )
            yield Finding(
                Trouble.DEAD_ROWS,
                one.name,
                f"{one.dead:,} rows of it are dead, {share:.0%}; {when}",
                f"VACUUM (VERBOSE, ANALYZE) {one.name}; its output tells what holds dead rows, if "
                "they stay: an old transaction or a slot",
            )


def wraparound(tables: Sequence[Table], limits: Limits) -> Iterator[Finding]:
    """Yield tables whose oldest row version is so old that the server nears its stop."""
    for one in tables:
        age = max(one.age, one.multixact_age)
        if age >= limits.age:
            sort = "transactions" if one.age >= one.multixact_age else "multixacts"
            yield Finding(
                Trouble.WRAPAROUND,
                one.name,
                f"its oldest row is {age:,} {sort} old; at {BILLIONS:,} the server takes no writes",
                f"VACUUM (FREEZE, VERBOSE) {one.name}",
                urgent=age >= limits.urgent_age,
            )


def bloat(found: Sequence[Waste], limits: Limits) -> Iterator[Finding]:
    """Yield what is larger than what it holds."""
    for one in found:
        share = one.wasted / max(1, one.bytes)
        if one.wasted < limits.bloat_bytes or share < limits.bloat_share:
            continue
        text = f"{shown(one.wasted)} of its {shown(one.bytes)} hold nothing, {share:.0%}"
        cure = (
            f"REINDEX INDEX CONCURRENTLY {one.name}"
            if one.is_index
            else f"pg_repack --no-superuser-check --table={one.name}; or, where nobody uses it for a "
            f"while, VACUUM (FULL) {one.name}"
        )
        yield Finding(Trouble.BLOAT, one.name, text, cure)


def unused(
    indexes: Sequence[Index],
    usages: Sequence[Usage],
    silent: Sequence[str],
    limits: Limits,
    now: datetime,
) -> Iterator[Finding]:
    """Yield indexes that no server used for long; none while a server's use of them is not known."""
    if silent or not usages:
        return
    since = [usage.since for usage in usages]
    known = [moment for moment in since if moment is not None]
    if len(known) < len(since) or now - max(known) < limits.unused_for:
        return
    days = (now - max(known)).days
    for one in indexes:
        scans = sum(usage.scans.get(one.name, 0) for usage in usages)
        if not scans and not one.needed and one.bytes >= limits.unused_bytes:
            yield Finding(
                Trouble.UNUSED_INDEX,
                one.name,
                f"{shown(one.bytes)} on {one.table} that none of {len(usages)} servers used for {days} "
                "days",
                f"in a migration file of its own: DROP INDEX CONCURRENTLY {one.name};",
            )


def duplicates(indexes: Sequence[Index]) -> Iterator[Finding]:
    """Yield indexes that do what another one does; one that a constraint needs is the other one."""
    groups: dict[tuple[str, str], list[Index]] = {}
    for one in indexes:
        groups.setdefault((one.table, one.definition), []).append(one)
    for group in groups.values():
        first, *others = sorted(group, key=lambda one: (not one.needed, one.name))
        for one in others:
            if not one.needed:
                yield Finding(
                    Trouble.DUPLICATE_INDEX,
                    one.name,
                    f"{shown(one.bytes)} on {one.table} that do what {first.name} does",
                    f"in a migration file of its own: DROP INDEX CONCURRENTLY {one.name};",
                )
