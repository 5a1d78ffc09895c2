"""Streaming replicas: an online copy of the source, a slot there, and promotion."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psycopg

from localcloud import template
from localcloud.cluster import Cluster
from localcloud.configuration import Upstream
from localcloud.errors import ClusterError
from localcloud.parameters import raise_to

# A copied cluster refuses to start, and a running standby pauses replay, when one of these is
# lower than on its source (PostgreSQL manual, "Administrator's Overview" of hot standby).
NOT_BELOW_SOURCE = (
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
)
# Contents that a base backup leaves out (PostgreSQL manual, "Backing Up the Data Directory").
_SKIP = frozenset(
    {
        "pg_wal",
        "pg_replslot",
        "pg_dynshmem",
        "pg_notify",
        "pg_serial",
        "pg_snapshots",
        "pg_stat_tmp",
        "pg_subtrans",
        "postmaster.pid",
        "postmaster.opts",
        "pg_internal.init",
        "standby.signal",
        "recovery.signal",
        "backup_label",
    }
)
_CONTROL = "global/pg_control"
_STREAM_LIMIT = 60.0
# A standby that is being promoted or deleted waits for its source; do not wait for it in turn.
_LOCK_LIMIT = 2.0


def slot_name(resource: str) -> str:
    """Return the slot of one replica, as RDS names it after the replica's resource."""
    return "rds_" + resource.lower().replace("-", "_")


def by_slot(source: Cluster, resource: str) -> Upstream:
    """Make the slot of a replica at its source where it is missing, and return the way there."""
    slot = slot_name(resource)
    source.execute(
        "SELECT pg_create_physical_replication_slot(%s, true) WHERE NOT EXISTS "
        "(SELECT FROM pg_replication_slots WHERE slot_name = %s)",
        slot,
        slot,
    )
    return way(source, resource)


def way(source: Cluster, resource: str) -> Upstream:
    """Return how a replica reaches its source, where its slot is already."""
    slot = slot_name(resource)
    return Upstream(source.files.sockets, source.address.port, slot, slot)


def is_standby(cluster: Cluster) -> bool:
    """Tell from its files whether the cluster starts as a standby."""
    return (cluster.files.data / "standby.signal").exists()


def seed(source: Cluster, replica: Cluster, upstream: Upstream) -> None:
    """Copy a running source into the replica's data directory, ready to stream from it."""
    owner = replica.site.owner
    with source.connect() as session:
        session.execute("SELECT pg_backup_start(%s, fast => true)", (upstream.name,))
        copy_files(source, replica.files.data)
        row = session.execute(
            "SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)"
        ).fetchone()
    if row is None:
        raise ClusterError(f"The copy of {source.name} did not end.")
    owner.write(replica.files.data / "backup_label", str(row[0]))
    owner.write(replica.files.data / "standby.signal", "")
    replica.move(upstream=upstream)


def copy_files(source: Cluster, directory: Path) -> None:
    """Copy what a base backup has of a data directory, between its begin and its end."""
    owner = source.site.owner
    template.copy(source.files.data, directory, owner, skip=_SKIP)
    # Last, because a copy of a standby is consistent from what this file says.
    template.copy_file(source.files.data / _CONTROL, directory / _CONTROL, owner)


def _always() -> bool:
    return True


def await_streaming(
    replica: Cluster, limit: float = _STREAM_LIMIT, expected: Callable[[], bool] = _always
) -> None:
    """Wait until the replica receives from its source, at most ``limit`` seconds.

    It is not waited for when it is ``expected`` no more.
    """
    end = time.monotonic() + limit
    pause = threading.Event()
    while time.monotonic() < end and expected():
        if streaming(replica):
            return
        if not replica.running:
            raise ClusterError(f"{replica.name} ended: {replica.last_log()}")
        pause.wait(0.02)
    if not expected():
        return
    raise ClusterError(f"{replica.name} does not stream: {replica.last_log()}")


def streaming(replica: Cluster) -> bool:
    """Tell whether the replica receives from its source now."""
    rows = replica.execute("SELECT status FROM pg_stat_wal_receiver")
    return bool(rows) and rows[0][0] == "streaming"


def answers(cluster: Cluster) -> bool:
    """Tell whether the cluster lets its superuser in."""
    try:
        cluster.connect().close()
    except psycopg.Error:
        return False
    return True


def in_recovery(cluster: Cluster) -> bool:
    """Tell whether the cluster is a standby."""
    return bool(cluster.execute("SELECT pg_is_in_recovery()")[0][0])


def promote(replica: Cluster) -> None:
    """Promote a standby, as PostgreSQL does it, and restart it as RDS does."""
    if in_recovery(replica):
        # Promoting a standby whose replay is paused shuts the server down.
        replica.execute(
            "SELECT CASE WHEN pg_is_wal_replay_paused() THEN pg_wal_replay_resume() END"
        )
        (promoted,) = replica.execute("SELECT pg_promote(true, 60)")[0]
        if not promoted:
            raise ClusterError(f"{replica.name} was not promoted: {replica.last_log()}")
    replica.move(upstream=None, hidden=False, linked=True, delay=0.0)
    replica.restart()


def forget_slot(source: Cluster, resource: str) -> None:
    """Drop the slot of a replica that follows no more; wait for its sender to let go."""
    slot = slot_name(resource)
    # Not while the source restarts; and when it has been stopped, its slots are gone with it. One
    # that stands still keeps its slot: nothing that a replica becomes may wait for it.
    with source.lock:
        if not source.running or source.frozen:
            return
        source.execute(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots "
            "WHERE slot_name = %s AND active",
            slot,
        )
        source.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            "WHERE slot_name = %s",
            slot,
        )


def raise_followers(followers: Iterable[Cluster], parameters: Mapping[str, str]) -> None:
    """Restart standbys with at least their source's new values, before the source gets them."""
    for follower in followers:
        raised = raise_to(follower.parameters, parameters, NOT_BELOW_SOURCE)
        if raised == follower.parameters or not follower.lock.acquire(timeout=_LOCK_LIMIT):
            continue
        try:
            if follower.running:
                follower.configure(raised)
                follower.restart()
        finally:
            follower.lock.release()


def diverged(follower: Cluster, source: Cluster) -> bool:
    """Tell whether a standby holds WAL of before a failover that its new source never had."""
    if in_recovery(source):
        return False
    (timeline,) = source.execute("SELECT timeline_id FROM pg_control_checkpoint()")[0]
    history = (source.files.data / "pg_wal" / f"{timeline:08X}.history").read_text()
    fork = history.strip().splitlines()[-1].split("\t")[1]
    (ahead,) = follower.execute(
        "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) > %s::pg_lsn", fork
    )[0]
    return bool(ahead)
