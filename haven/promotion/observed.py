"""What a promotion is decided from: the primary as seen from several places, and its replicas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

_HALF = 32


def position(lsn: str | None) -> int:
    """Return an LSN such as ``0/3000148`` as bytes of WAL; 0 where there is none."""
    if not lsn:
        return 0
    high, low = lsn.split("/")
    return (int(high, 16) << _HALF) + int(low, 16)


def written(place: int) -> str:
    """Write bytes of WAL as PostgreSQL writes an LSN."""
    return f"{place >> _HALF:X}/{place & ((1 << _HALF) - 1):X}"


@dataclass(frozen=True, slots=True)
class Vantage:
    """One place from which the primary was looked for. ``sees`` is None where it cannot tell."""

    name: str
    sees: bool | None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """The primary. ``end`` is how far it has written, in bytes of WAL, where it can be asked."""

    name: str
    region: str
    zone: str = ""
    status: str = "available"
    end: int | None = None
    max_connections: int = 0
    vantages: tuple[Vantage, ...] = ()

    @property
    def reachable(self) -> bool:
        """Tell whether it answered us."""
        return self.end is not None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replica. Positions are bytes of WAL; ``fed`` says that it is receiving now.

    ``heard`` is how far the primary had written when the replica last heard of it. ``beat_at`` is
    the last heartbeat that has come to it and ``beat_age`` its age in seconds. ``unreachable`` says
    why it could not be asked.
    """

    name: str
    region: str
    zone: str = ""
    instance_class: str = ""
    status: str = "available"
    follows: str = ""
    in_recovery: bool = True
    received: int = 0
    replayed: int = 0
    heard: int = 0
    paused: bool = False
    fed: bool = False
    max_connections: int = 0
    beat_at: datetime | None = None
    beat_age: float | None = None
    unreachable: str = ""

    @property
    def end(self) -> int:
        """How far it will be once it has replayed all it has."""
        return max(self.received, self.replayed)
