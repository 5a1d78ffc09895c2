"""The hidden standby of a Multi-AZ instance, at the level of clusters.

A commit that its primary acknowledges is on it. It has no slot, which users would see: what
it missed for too long to catch up is copied anew.
"""

from __future__ import annotations

import threading
import time

import psycopg

from localcloud import replication
from localcloud.cluster import Cluster
from localcloud.configuration import Upstream
from localcloud.errors import ClusterError

_ATTACH_LIMIT = 30.0
_RELOAD_LIMIT = 10.0
_POLL = 0.01


def build(primary: Cluster, standby: Cluster) -> None:
    """Make a standby of a running primary, which does not wait for it yet."""
    name = replication.slot_name(standby.name)
    upstream = Upstream(primary.files.sockets, primary.address.port, name, None)
    standby.parameters = dict(primary.parameters)
    standby.move(hidden=True, mirrored=True, archive=primary.place.archive)
    replication.seed(primary, standby, upstream)
    standby.start()
    replication.await_streaming(standby)


def attach(primary: Cluster, standby: Cluster) -> None:
    """Let every commit wait for the standby; return when it has all that was committed before.

    A replica commits nothing: its standby is taken as it is.
    """
    if not primary.running:
        raise ClusterError(f"{primary.name} does not run.")
    name = replication.slot_name(standby.name)
    primary.move(synchronous=name, mirrored=True)
    primary.reload()
    if replication.in_recovery(primary):
        return
    end = time.monotonic() + _ATTACH_LIMIT
    pause = threading.Event()
    goal = None
    while time.monotonic() < end:
        rows = primary.execute(
            "SELECT flush_lsn >= %s::pg_lsn, pg_current_wal_lsn() FROM pg_stat_replication "
            "WHERE application_name = %s AND sync_state = 'sync'",
            goal,
            name,
        )
        if rows and rows[0][0]:
            return
        # What others commit from the first sight of it on waits already.
        goal = goal or (rows[0][1] if rows else None)
        pause.wait(_POLL)
    raise ClusterError(f"{standby.name} does not catch up: {standby.last_log()}")


def detach(primary: Cluster) -> None:
    """Let no commit wait any more. Needs no lock, because what holds it may be what waits."""
    primary.move(synchronous=None)
    end = time.monotonic() + _RELOAD_LIMIT
    pause = threading.Event()
    while primary.running and time.monotonic() < end:
        try:
            primary.reload()
        except psycopg.OperationalError:
            pause.wait(_POLL)
        else:
            return


def alive(standby: Cluster) -> bool:
    """Tell whether the standby runs and receives."""
    try:
        return standby.running and replication.streaming(standby)
    except psycopg.Error:
        return False
