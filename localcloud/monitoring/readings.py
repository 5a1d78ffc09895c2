"""What one instance is found to be doing, and the metrics AWS would report of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

_GIB = 1024**3
# On an idle source RDS switches to a new WAL segment every five minutes, which the replica
# replays (RDS User Guide, "Monitoring read replication": the lag of an idle source).
_LONGEST_IDLE = 300.0
NOT_REPLICATING = -1.0


@dataclass(frozen=True, slots=True)
class Replica:
    """How far a read replica is. ``replayed`` is when its last transaction was committed."""

    receiving: bool
    caught_up: bool
    replayed: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at an instance. ``allocated`` is in GiB, ``used`` in bytes, ``cpu`` in percent."""

    cpu: float
    connections: int
    allocated: int
    used: int
    replica: Replica | None


def metrics(reading: Reading, moment: dt.datetime) -> Iterator[tuple[str, float, str]]:
    """Yield name, value and unit of each metric as of a moment of the service clock."""
    yield "CPUUtilization", reading.cpu, "Percent"
    yield "DatabaseConnections", float(reading.connections), "Count"
    yield "FreeStorageSpace", float(max(0, reading.allocated * _GIB - reading.used)), "Bytes"
    if reading.replica is not None:
        yield "ReplicaLag", lag(reading.replica, moment), "Seconds"


def lag(replica: Replica, moment: dt.datetime) -> float:
    """Return seconds since the last replayed transaction, or -1 when replication is broken."""
    if not replica.receiving:
        return NOT_REPLICATING
    if replica.replayed is None:
        return 0.0
    behind = max(0.0, (moment - replica.replayed).total_seconds())
    return behind % _LONGEST_IDLE if replica.caught_up else behind
