"""Looking at an instance: its processes and its statistics views, in one session."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg

from localcloud.clock import Clock
from localcloud.cluster import Cluster
from localcloud.monitoring.processor import Meter
from localcloud.monitoring.readings import Reading, Replica
from localcloud.rds.instance import Instance
from localcloud.template import SUPERUSER

_COUNTS = """
SELECT (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND usename <> %s),
       (SELECT sum(pg_database_size(oid))::bigint FROM pg_database)
       + (SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir())
"""
_REPLAY = """
SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
       pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() AND NOT pg_is_wal_replay_paused(),
       pg_last_xact_replay_timestamp()
"""


def look(instance: Instance, meter: Meter, clock: Clock) -> Reading | None:
    """Return what an instance is doing, or nothing when it does not answer."""
    cluster = instance.cluster
    if cluster is None or not instance.serving:
        return None
    process = cluster.process
    if process is None or process.poll() is not None:
        return None
    try:
        return _read(instance, cluster, meter.percent(process.pid), clock)
    except psycopg.Error:
        return None


def _read(instance: Instance, cluster: Cluster, cpu: float, clock: Clock) -> Reading:
    with cluster.connect() as session:
        (connections, used) = _only(session.execute(_COUNTS, (SUPERUSER,)).fetchone())
        replica = None
        if instance.source is not None:
            receiving, caught_up, at = _only(session.execute(_REPLAY).fetchone())
            replica = Replica(receiving, bool(caught_up), _service_time(clock, at))
    allocated = int(instance.settings["AllocatedStorage"])
    return Reading(cpu, int(connections), allocated, int(used), replica)


def _only(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:
        raise psycopg.DataError("A statistics view returned no row.")
    return row


def _service_time(clock: Clock, at: dt.datetime | None) -> dt.datetime | None:
    return None if at is None else clock.at(at)
