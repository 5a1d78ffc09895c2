"""Around a migration: whether this is the moment for it, and how soon the replicas have it too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from flows.endpoints import writer_name
from flows.frame import Run
from flows.logins import replica_logins
from haven.errors import Unavailable
from haven.migrations.moment import Moment, Objection, check_moment
from haven.pg import Connection, Login
from haven.stack.instance import Instance
from haven.stack.topology import topology
from haven.waiting import SYSTEM_CLOCK, Clock
from tasks.instance_waits import SERVING
from tasks.instances import observe_instances
from tasks.replay import behind, written_lsn
from tasks.site import Observation

# A replica that needs longer for what the primary has written is behind.
BEFORE_S = 10.0
AFTER_S = 60.0
# Between batches the replicas catch up this often, and may take so long for it.
PACE_S = 1.0
CATCH_UP_S = 60.0


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


def keep_pace(
    run: Run, despite: Collection[Objection], *, clock: Clock = SYSTEM_CLOCK
) -> Callable[[Connection], None]:
    """Return what lets replicas catch up between the batches of a backfill, once a second.

    It raises ``Unavailable`` for one that does not within a minute.
    """
    if Objection.REPLICA_BEHIND in despite:
        return lambda _: None
    last = clock.now()
    logins: dict[str, Login] = {}

    def between(connection: Connection) -> None:
        nonlocal last
        if clock.now() - last < PACE_S:
            return
        if not logins:
            logins.update(replica_logins(run, _instances(run)))
        late = behind(logins, written_lsn(connection), CATCH_UP_S, clock=clock)
        if late:
            raise _too_far_behind(late)
        last = clock.now()

    return between


def _too_far_behind(late: Mapping[str, str]) -> Unavailable:
    said = "; ".join(f"{name} {how}" for name, how in sorted(late.items()))
    return Unavailable(
        f"The backfill stops, since a replica does not follow it: {said}.",
        left="The batches so far are applied, and recorded.",
        cure="Run the same command again to go on, or, where it cannot wait, with --param "
        f"despite={Objection.REPLICA_BEHIND}.",
    )


def _instances(run: Run) -> Observation:
    wanted = [item for item in topology(run.loaded.stack) if isinstance(item, Instance)]
    return {
        address: found
        for region in sorted({item.region for item in wanted})
        for address, found in observe_instances(
            run.site, region, [item for item in wanted if item.region == region]
        ).items()
    }
