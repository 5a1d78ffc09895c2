"""What a rehearsal saw: of each statement its time, its locks, whom those blocked, and its WAL.

Made from what was measured: when each statement ran, what it held at its end, and a look at the
locks every few milliseconds. Times are seconds of one clock of the machine that rehearsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from haven.migrations.forecast import bytes_in_words

# PostgreSQL, "Explicit Locking": whom a mode makes wait, of those who use a table.
KEEPS_OUT = {
    "AccessExclusiveLock": "reads and writes",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
}
# A mode's place in this order is its strength.
STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
# A few milliseconds either way are the measuring's own.
SLACK_S = 0.05

Locks = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the locks: the modes held by relation, and who waited for which relation.

    ``blocked`` has the server processes that waited for the one that runs the files; their
    relation is empty where they waited for a row.
    """

    at: float
    held: Locks = field(default_factory=dict)
    blocked: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """One query of the synthetic load: the server process that served it, and when."""

    process: int
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long the application would have waited for it."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Measured:
    """One statement as it ran. ``until`` is when its transaction, and so its locks, ended.

    ``held`` is what its transaction held when it was done; None for a statement that manages
    transactions itself, of which only looks tell. ``work`` says what it does to rows, if anything;
    ``scale`` is how many times as many rows there are as were copied.
    """

    file: str
    line: int
    start: str = field(repr=False)
    begin: float
    end: float
    until: float
    held: Locks | None
    wal: int
    work: str = ""
    scale: float = 1.0

    @property
    def full(self) -> float:
        """How long it may take on all rows, where it works on rows: in proportion."""
        return (self.end - self.begin) * (self.scale if self.work else 1.0)


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that a statement took, for how long, and for how long it may be on all rows."""

    relation: str
    mode: str
    keeps_out: str
    seconds: float
    full_seconds: float


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One statement of a rehearsal. Seconds; ``wal`` is in bytes."""

    file: str
    line: int
    start: str = field(repr=False)
    seconds: float
    locks: tuple[HeldLock, ...]
    blocked: int
    longest_block: float
    wal: int
    work: str
    full_seconds: float

    @property
    def text(self) -> str:
        """Say it on one line."""
        parts = [_span(self.seconds, self.full_seconds)]
        parts += [_held(lock) for lock in self.locks]
        if self.blocked:
            who = "1 session" if self.blocked == 1 else f"{self.blocked} sessions"
            parts.append(f"blocked {who}, the longest for {self.longest_block:.3f} s")
        parts.append(f"{bytes_in_words(self.wal)} of WAL")
        return f"{self.file}:{self.line} {self.start}: {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """How many rows of a table were copied, and about how many there are; None is unknown."""

    relation: str
    rows: int
    of: int | None

    @property
    def scale(self) -> float:
        """How many times as many rows there are."""
        return max(1.0, (self.of or 0) / self.rows) if self.rows else 1.0


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """The synthetic load: sessions, queries, those refused by SQLSTATE, and the longest one."""

    sessions: int = 0
    queries: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    median_seconds: float = 0.0
    longest_seconds: float = 0.0

    @property
    def text(self) -> str:
        """Say it on one line."""
        refused = ", ".join(f"{count} refused ({state})" for state, count in self.refused.items())
        return (
            f"the load: {self.queries:,} queries of {self.sessions} sessions, median "
            f"{self.median_seconds * 1000:.1f} ms, longest {self.longest_seconds:.3f} s"
            + (f"; {refused}" if refused else "")
        )


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal found. ``too_long`` has a sentence for each lock beyond the limit.

    ``notes`` tell in what the clone was not like the database.
    """

    statements: tuple[Rehearsed, ...] = ()
    tables: tuple[CopiedTable, ...] = ()
    load: LoadFigures = field(default_factory=LoadFigures)
    too_long: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def rehearsed(
    measured: Sequence[Measured], looks: Sequence[Look], queries: Sequence[Query]
) -> tuple[Rehearsed, ...]:
    """Put together what was measured, statement by statement."""
    locks = [_taken(measured, number, looks) for number in range(len(measured))]
    blocks = _blocks(measured, locks, looks, queries)
    return tuple(
        Rehearsed(
            item.file,
            item.line,
            item.start,
            item.end - item.begin,
            locks[number],
            len(blocks[number]),
            max(blocks[number].values(), default=0.0),
            item.wal,
            item.work,
            item.full,
        )
        for number, item in enumerate(measured)
    )


def verdict(statements: Sequence[Rehearsed], limit: float) -> tuple[str, ...]:
    """Say of each lock that keeps applications out for longer than ``limit`` seconds what it is."""
    return tuple(
        f"{item.file}:{item.line} {item.start}: it keeps {lock.keeps_out} of {lock.relation} "
        f"waiting for {_span(lock.seconds, lock.full_seconds)}; the limit is {limit:g} s"
        for item in statements
        for lock in item.locks
        if lock.keeps_out and max(lock.seconds, lock.full_seconds) > limit
    ) + tuple(
        f"{item.file}:{item.line} {item.start}: a query waited {item.longest_block:.3f} s for it; "
        f"the limit is {limit:g} s"
        for item in statements
        if item.longest_block > limit + SLACK_S
        and not any(lock.keeps_out and lock.seconds > limit for lock in item.locks)
    )


def _taken(
    measured: Sequence[Measured], number: int, looks: Sequence[Look]
) -> tuple[HeldLock, ...]:
    """Return the locks that a statement took, which those before it in its transaction had not."""
    item = measured[number]
    if item.held is None:
        return _seen(item, looks)
    before = _held_before(measured, number)
    rest = [other for other in measured[number:] if other.until == item.until]
    full = sum(other.full for other in rest)
    held = max(item.until - item.begin, 0.0)
    return tuple(
        _lock(relation, mode, held, max(held, full))
        for relation, mode in sorted(item.held.items())
        if _strength(mode) > _strength(before.get(relation, ""))
    )


def _held_before(measured: Sequence[Measured], number: int) -> Locks:
    """Return what the transaction held when the statement began."""
    if number == 0 or measured[number - 1].until != measured[number].until:
        return {}
    return measured[number - 1].held or {}


def _seen(item: Measured, looks: Sequence[Look]) -> tuple[HeldLock, ...]:
    """Return the locks that were seen while a statement ran, and for how long each."""
    spans: dict[tuple[str, str], tuple[float, float]] = {}
    for look in looks:
        if item.begin <= look.at <= item.end:
            for key in look.held.items():
                spans[key] = (spans.get(key, (look.at, 0.0))[0], look.at)
    strongest: dict[str, tuple[str, float]] = {}
    for (relation, mode), (first, last) in spans.items():
        if _strength(mode) > _strength(strongest.get(relation, ("", 0.0))[0]):
            strongest[relation] = (mode, last - first)
    scale = item.scale if item.work else 1.0
    return tuple(
        _lock(relation, mode, seconds, seconds * scale)
        for relation, (mode, seconds) in sorted(strongest.items())
    )


def _lock(relation: str, mode: str, seconds: float, full: float) -> HeldLock:
    return HeldLock(relation, mode_in_words(mode), KEEPS_OUT.get(mode, ""), seconds, full)


def _blocks(
    measured: Sequence[Measured],
    locks: Sequence[Sequence[HeldLock]],
    looks: Sequence[Look],
    queries: Sequence[Query],
) -> list[dict[int, float]]:
    """Return for each statement the processes that waited for it, and the longest wait of each."""
    found: list[dict[int, float]] = [{} for _ in measured]
    by_process: dict[int, list[Query]] = {}
    for query in queries:
        by_process.setdefault(query.process, []).append(query)
    for look in looks:
        for process, relation in look.blocked.items():
            number = _cause(measured, locks, look.at, relation)
            if number is not None:
                waited = _waited(by_process.get(process, ()), look.at)
                found[number][process] = max(found[number].get(process, 0.0), waited)
    return found


def _cause(
    measured: Sequence[Measured],
    locks: Sequence[Sequence[HeldLock]],
    at: float,
    relation: str,
) -> int | None:
    """Return the statement that a wait is due to: who took that lock, else who ran just then."""
    alive = [
        number for number, item in enumerate(measured) if item.begin <= at <= item.until + SLACK_S
    ]
    for number in alive:
        if any(lock.relation == relation and lock.keeps_out for lock in locks[number]):
            return number
    return alive[-1] if alive else None


def _waited(queries: Sequence[Query], at: float) -> float:
    return max((query.seconds for query in queries if query.begin <= at <= query.end), default=0.0)


def mode_in_words(mode: str) -> str:
    """Write a mode of ``pg_locks`` as SQL does."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()


def _strength(mode: str) -> int:
    return STRENGTH.index(mode) if mode in STRENGTH else -1


def stronger(one: str, other: str) -> str:
    """Return the stronger one of two modes; an empty one is none."""
    return max(one, other, key=_strength)


def _held(lock: HeldLock) -> str:
    keeps = f", keeps out {lock.keeps_out}" if lock.keeps_out else ""
    span = _span(lock.seconds, lock.full_seconds if lock.keeps_out else lock.seconds)
    return f"{lock.mode} on {lock.relation} for {span}{keeps}"


def _span(seconds: float, full: float) -> str:
    if full <= seconds + SLACK_S:
        return f"{seconds:.3f} s"
    return f"{seconds:.3f} s (about {full:.1f} s with all rows)"
