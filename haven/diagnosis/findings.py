"""A finding: what is wrong, of what, how bad it is, and the command that cures it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

GIB = 1024**3
MIB = 1024**2


class Trouble(StrEnum):
    """What can be wrong."""

    BLOAT = "bloat"
    DEAD_ROWS = "dead-rows"
    WRAPAROUND = "wraparound"
    UNUSED_INDEX = "unused-index"
    DUPLICATE_INDEX = "duplicate-index"
    SEQUENCE = "sequence"
    SLOT = "slot"
    STORAGE = "storage"
    CERTIFICATE = "certificate"
    CONNECTIONS = "connections"
    IDLE_TRANSACTION = "idle-transaction"
    LONG_TRANSACTION = "long-transaction"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``urgent`` ones become an outage when nobody acts."""

    trouble: Trouble
    subject: str
    text: str
    cure: str
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is told. Sizes are in bytes, shares from 0 to 1, ages in transactions.

    Transactions: autovacuum prevents wraparound from 200 million on by default, and RDS recommends an
    alarm at a billion (Amazon RDS User Guide, "Working with PostgreSQL autovacuum").
    """

    bloat_share: float = 0.4
    bloat_bytes: int = 50 * MIB
    dead_share: float = 0.2
    dead_rows: int = 10_000
    age: int = 400_000_000
    urgent_age: int = 1_000_000_000
    unused_bytes: int = 10 * MIB
    unused_for: timedelta = timedelta(days=30)
    sequence_share: float = 0.75
    urgent_sequence_share: float = 0.9
    slot_bytes: int = GIB
    urgent_slot_bytes: int = 10 * GIB
    connections_share: float = 0.8
    urgent_connections_share: float = 0.95
    idle_for: timedelta = timedelta(minutes=10)
    long_for: timedelta = timedelta(hours=1)
    full_within: timedelta = timedelta(days=30)
    urgent_full_within: timedelta = timedelta(days=3)
    certificate_within: timedelta = timedelta(days=60)
    urgent_certificate_within: timedelta = timedelta(days=14)
    # How much of a database one run reads to measure bloat.
    budget_bytes: int = GIB


def in_order(found: list[Finding]) -> list[Finding]:
    """Return findings in order: what is urgent first, then by what is wrong and of what."""
    return sorted(found, key=lambda one: (not one.urgent, one.trouble, one.subject))


def shown(size: float) -> str:
    """Return a size in bytes as people read it."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:.0f} bytes"
