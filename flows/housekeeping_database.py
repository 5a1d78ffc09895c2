"""Housekeeping inside the database: months of the access log, and the sync queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from flows.chores import Chore, Finds, step
from flows.endpoints import Observed, writer_logins
from flows.frame import Run
from haven.pg import Login
from haven.plan import Hazard, Verb
from haven.retention.access_log import Act, Due, due, troubles, waiting
from haven.retention.proof import Proofs
from tasks.partitions import (
    detach_partition,
    drop_partition,
    guard_partition,
    make_partition,
    observe_log,
)
from tasks.sync_queue import observe_queue, sweep_queue

APPLICATION = "haven housekeeping"
MIGRATOR, READER = "haven_migrator", "haven_reader"


def database_logins(run: Run, observed: Observed) -> Mapping[str, Login]:
    """Return who looks, and who changes."""
    return writer_logins(run, observed, [MIGRATOR, READER], application=APPLICATION)


def database_chores(run: Run, logins: Mapping[str, Login], proofs: Proofs) -> Finds:
    """Look at the access log and at the sync queue."""
    finds = _access_log(run, logins, proofs)
    finds.add(_sync_queue(run, logins))
    return finds


def _access_log(run: Run, logins: Mapping[str, Login], proofs: Proofs) -> Finds:
    rules = run.loaded.stack.housekeeping
    log, now = observe_log(logins[READER])
    steps = due(log, proofs, rules, now)
    return Finds(
        chores=[_partition(logins, one, proofs) for one in steps],
        details=[
            f"{one.relation} is detached and stays until an export of it was loaded back"
            for one in waiting(log, proofs)
        ],
        alarms=list(troubles(log, now)),
    )


def _partition(logins: Mapping[str, Login], one: Due, proofs: Proofs) -> Chore:
    owner, month = logins[MIGRATOR], one.month
    acts: Mapping[Act, Callable[[], object]] = {
        Act.MAKE: partial(make_partition, owner, month),
        Act.GUARD: partial(guard_partition, owner, month),
        Act.FINISH: partial(detach_partition, owner, month),
        Act.DETACH: partial(detach_partition, owner, month),
        Act.DROP: partial(
            drop_partition, owner, logins[READER], month, proofs.get(f"audit.{month.name}")
        ),
    }
    verb = {Act.MAKE: Verb.CREATE, Act.DROP: Verb.DELETE}.get(one.act, Verb.UPDATE)
    hazards = (Hazard.DELETES_DATA,) if one.act is Act.DROP else ()
    because = one.because if verb is not Verb.UPDATE else f"{one.act}: {one.because}"
    dropped = one.act is Act.DROP
    return Chore(step(verb, one.address, because, *hazards), acts[one.act], counted=dropped)


def _sync_queue(run: Run, logins: Mapping[str, Login]) -> Finds:
    stack = run.loaded.stack
    days, hours = stack.verification.completed_sync_days, stack.housekeeping.sync_stuck_hours
    queue = observe_queue(logins[READER], days=days, hours=hours)
    finds = Finds(
        warnings=[
            f"sync queue: {count:,} items {kind} for over {timedelta(hours=hours)}"
            for kind, count in queue.stuck.items()
        ]
    )
    if queue.due:
        why = f"{queue.due:,} items were completed over {days} days ago"
        sweep = partial(
            sweep_queue, logins[MIGRATOR], days=days, batch=stack.housekeeping.sync_batch
        )
        finds.chores.append(
            Chore(
                step(Verb.DELETE, "rows/haven_health.sync_queue", why, Hazard.DELETES_DATA), sweep
            )
        )
    return finds
