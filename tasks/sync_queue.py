"""The sync queue: completed items past their time go in batches, stuck ones are told."""

from __future__ import annotations

from dataclasses import dataclass

from haven.pg import Login, session
from haven.sql import QUERIES
from tasks.kinds import changes, looks


@dataclass(frozen=True, slots=True)
class Queue:
    """How many items are past their time, and how many nothing has moved, by where they stick."""

    due: int = 0
    claimed: int = 0
    waiting: int = 0
    in_conflict: int = 0
    failed: int = 0

    @property
    def stuck(self) -> dict[str, int]:
        """The kinds of stuck items that there are any of."""
        kinds = {
            "claimed and never finished": self.claimed,
            "waiting to be claimed": self.waiting,
            "in conflict": self.in_conflict,
            "failed for good": self.failed,
        }
        return {kind: count for kind, count in kinds.items() if count}


@looks
def observe_queue(reader: Login, *, days: int, hours: int) -> Queue:
    """Count completed items older than ``days``, and what has not moved for ``hours``."""
    with session(reader) as connection:
        given = {"days": days, "hours": hours}
        row = connection.execute(QUERIES["housekeeping_sync"], given).fetchone()
    return Queue(*row) if row else Queue()


@changes
def sweep_queue(migrator: Login, *, days: int, batch: int) -> int:
    """Delete completed items older than ``days``, a batch at a time; return how many.

    Each batch is a transaction of its own and a row of the access log: a run that is killed leaves
    whole batches done.
    """
    swept = 0
    with session(migrator) as connection:
        connection.execute(QUERIES["housekeeping_role"])
        while True:
            given = {"days": days, "batch": batch}
            count = connection.execute(QUERIES["housekeeping_sync_batch"], given).rowcount
            swept += count
            if count < batch:
                return swept
