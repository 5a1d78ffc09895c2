"""The server: numbers near their end, slots that hold WAL, connections, old transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from haven.diagnosis.findings import Finding, Limits, Trouble, shown


@dataclass(frozen=True, slots=True)
class Numbers:
    """A sequence that does not start again. ``end`` is the last that it and its column can take."""

    name: str
    column: str
    last: int
    start: int
    end: int

    @property
    def share(self) -> float:
        """Which part of its numbers is used."""
        return abs(self.last - self.start) / max(1, abs(self.end - self.start))


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot, and how many bytes of WAL the server keeps for it."""

    name: str
    active: bool
    retained: int
    wal_status: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session with an open transaction: how long that is open, and how long it idles in it."""

    pid: int
    user: str
    application: str
    open_for: timedelta
    idle_for: timedelta | None


@dataclass(frozen=True, slots=True)
class Load:
    """How many connections there are of how many, and the sessions with an open transaction."""

    used: int
    most: int
    by_user: tuple[tuple[str, int], ...]
    sessions: tuple[Session, ...]


def sequences(found: Sequence[Numbers], limits: Limits) -> Iterator[Finding]:
    """Yield sequences that will soon have no number left: the next insert fails then."""
    for one in found:
        if one.share >= limits.sequence_share:
            yield Finding(
                Trouble.SEQUENCE,
                one.name,
                f"it is at {one.last:,} of {one.end:,}, {one.share:.0%}"
                + (f", for {one.column}" if one.column else ""),
                f"ALTER SEQUENCE {one.name} AS bigint; and make the column bigint as "
                "docs/how-to/change-a-hot-table.md does",
                urgent=one.share >= limits.urgent_sequence_share,
            )


def slots(found: Sequence[Slot], limits: Limits) -> Iterator[Finding]:
    """Yield slots that nobody reads and for which WAL piles up until the storage is full."""
    for one in found:
        lost = one.wal_status == "lost"
        if not one.active and (lost or one.retained >= limits.slot_bytes):
            text = (
                "nobody can read on from it: its WAL is gone"
                if lost
                else f"nobody reads it, and {shown(one.retained)} of WAL are kept for it"
            )
            quoted = one.name.replace("'", "''")
            yield Finding(
                Trouble.SLOT,
                one.name,
                text,
                f"start its reader again; or, if there is none any more: SELECT "
                f"pg_drop_replication_slot('{quoted}');",
                urgent=one.retained >= limits.urgent_slot_bytes,
            )


def connections(load: Load, limits: Limits) -> Iterator[Finding]:
    """Yield how near the connections are to their limit, and transactions that are open for long."""
    share = load.used / max(1, load.most)
    if share >= limits.connections_share:
        most = ", ".join(f"{user or 'the server'} {count}" for user, count in load.by_user[:5])
        yield Finding(
            Trouble.CONNECTIONS,
            "max_connections",
            f"{load.used:,} of {load.most:,} connections are taken, {share:.0%}: {most}",
            "let applications go through the proxy; or raise [database] max_connections and run "
            "provision, which needs a reboot",
            urgent=share >= limits.urgent_connections_share,
        )
    for one in load.sessions:
        yield from _session(one, limits)


def _session(one: Session, limits: Limits) -> Iterator[Finding]:
    who = f"{one.user} ({one.application or 'without a name'})"
    cure = f"SELECT pg_terminate_backend({one.pid});"
    if one.idle_for is not None and one.idle_for >= limits.idle_for:
        yield Finding(
            Trouble.IDLE_TRANSACTION,
            f"process {one.pid}",
            f"{who} has left a transaction open, and done nothing for {_minutes(one.idle_for)}",
            cure,
        )
    elif one.open_for >= limits.long_for:
        yield Finding(
            Trouble.LONG_TRANSACTION,
            f"process {one.pid}",
            f"a transaction of {who} is open for {_minutes(one.open_for)}; no row that died since "
            "can be removed",
            cure,
        )


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:,.0f} minutes"
