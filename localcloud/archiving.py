"""A server is made to hand all it has to the archive."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from localcloud.archive import Point
from localcloud.cluster import Cluster
from localcloud.errors import ClusterError

_LIMIT = 30.0
_POLL = 0.005


def point(primary: Cluster, wal: Path) -> Point:
    """Archive all that has been committed, and return the moment up to which that is.

    The commit after that moment is what tells a recovery to it that it has arrived.
    """
    with primary.connect() as session:
        now = session.execute("SELECT clock_timestamp()").fetchone()
        session.execute("SELECT pg_current_xact_id()")
        row = session.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    if now is None or row is None:
        raise ClusterError(f"{primary.name} did not switch its WAL.")
    segment = str(row[0])
    end = time.monotonic() + _LIMIT
    pause = threading.Event()
    while not (wal / segment).exists():
        if time.monotonic() >= end or not primary.running:
            raise ClusterError(f"{primary.name} does not archive {segment}: {primary.last_log()}")
        pause.wait(_POLL)
    return Point(now[0], segment)
