"""Around a migration: whether this is the moment for it, and how soon the replicas have it too."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from flows.endpoints import writer_name
from flows.frame import Run
from flows.logins import replica_logins
from haven.migrations.moment import Moment, Objection, check_moment
from haven.pg import Connection
from haven.stack.instance import Instance
from haven.stack.topology import topology
from tasks.instance_waits import SERVING
from tasks.instances import observe_instances
from tasks.replay import behind, written_lsn
from tasks.site import Observation

# A replica that needs longer for what the primary has written is behind.
BEFORE_S = 10.0
AFTER_S = 60.0


def check_now(run: Run, connection: Connection, despite: Collection[Objection]) -> None:
    """Raise ``Unavailable`` when the instance, a window or a replica stands against migrating now."""
    stack = run.loaded.stack
    observed = _instances(run)
    writer = writer_name(run, observed)
    status = next(
        found.outputs["status"] for found in observed.values() if found.resource.name == writer
    )
    # Nobody depends on a disposable stack, so it has no hours to keep to.
    windows = (
        ("", "") if stack.disposable else (stack.backups.window, stack.backups.maintenance_window)
    )
    moment = Moment(
        datetime.now(UTC),
        writer,
        "" if status in SERVING else status,
        *windows,
        behind(replica_logins(run, observed), written_lsn(connection), BEFORE_S),
    )
    check_moment(moment, despite)


def replicas_behind(run: Run, connection: Connection) -> list[str]:
    """Wait until replicas have replayed what was written; say of each that has not how it is."""
    late = behind(replica_logins(run, _instances(run)), written_lsn(connection), AFTER_S)
    return [f"the replica {name} {how}" for name, how in sorted(late.items())]


def _instances(run: Run) -> Observation:
    wanted = [item for item in topology(run.loaded.stack) if isinstance(item, Instance)]
    return {
        address: found
        for region in sorted({item.region for item in wanted})
        for address, found in observe_instances(
            run.site, region, [item for item in wanted if item.region == region]
        ).items()
    }
