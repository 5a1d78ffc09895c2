"""One migration runner at a time: two advisory locks, each held by a session.

The first is held for the whole run by a session that does nothing else, since a session in a
transaction would hold up CREATE INDEX CONCURRENTLY. The second is held by the session that
works: when a runner was killed, its session may still be at work, and the next runner waits
until the server has ended it.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg

from haven.errors import Conflict, Unavailable
from haven.pg import Connection, Login, open_connection
from haven.sql import QUERIES
from haven.waiting import SYSTEM_CLOCK, Clock, Wait, wait_for

RUN_KEY = 0x48617665_6E000001
WORK_KEY = 0x48617665_6E000002
APPLICATION_LENGTH = 63
HEARTBEAT = 5.0
ORPHAN_PATIENCE = 20.0
ORPHAN_INTERVAL = 0.1
# The server looks twice a second whether its client is still there, and ends the work if not.
# The owner sees no row of a table that forces row-level security on it: a statement that would
# pass over rows fails, instead of changing or proving nothing.
OPTIONS = "-c client_connection_check_interval=500 -c client_encoding=UTF8 -c row_security=off"


@dataclass(slots=True)
class RunLock:
    """The lock of a run; ``check`` tells whether it is still held."""

    connection: Connection
    clock: Clock
    checked: float

    def check(self) -> None:
        """Raise ``Unavailable`` when the session is gone: another runner may have begun."""
        quiet = not select.select([self.connection.fileno()], [], [], 0)[0]
        if quiet and self.clock.now() - self.checked < HEARTBEAT:
            return
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error:
            raise lock_lost() from None
        self.checked = self.clock.now()

    def held(self) -> bool:
        """Ask the server whether the session is still there."""
        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        self.checked = self.clock.now()
        return True


def lock_lost() -> Unavailable:
    """Say that the run stops since it is no longer alone."""
    return Unavailable(
        "The session that holds the migration lock was lost.",
        left="Files that are in haven_ops.migrations are applied, and no others.",
        cure="Run the same command again; it goes on from there.",
    )


@contextlib.contextmanager
def run_lock(
    login: Login, who: str, *, what: str = "migrate", clock: Clock = SYSTEM_CLOCK
) -> Iterator[RunLock]:
    """Hold the lock of a run on a session of its own; ``what`` is what the run does.

    Raises ``Conflict`` naming the holder when another run has it.
    """
    name = f"haven {what} {who}".encode()[:APPLICATION_LENGTH].decode(errors="ignore")
    connection = open_connection(replace(login, application=name, writable=False))
    with contextlib.closing(connection):
        if not _try(connection, RUN_KEY):
            raise Conflict(
                f"Another run is migrating {login.database} on {login.host}: "
                f"{_holder(connection, RUN_KEY)}.",
                left="Nothing was touched.",
                cure="Wait for it to end, then run the same command again.",
            )
        yield RunLock(connection, clock, clock.now())


def take_work(connection: Connection, *, clock: Clock = SYSTEM_CLOCK) -> None:
    """Make this the session that works, once that of an earlier run has ended.

    Raises ``Unavailable`` naming it when it does not.
    """
    wait_for(
        Wait(
            what="the end of the session that an earlier run left at work",
            probe=lambda: "" if _try(connection, WORK_KEY) else _holder(connection, WORK_KEY),
            reached=lambda holder: not holder,
            fatal=lambda _: None,
            interval=ORPHAN_INTERVAL,
            deadline=ORPHAN_PATIENCE,
        ),
        clock=clock,
    )


def _try(connection: Connection, key: int) -> bool:
    row = connection.execute(QUERIES["migration_try_lock"], {"key": key}).fetchone()
    return bool(row and row[0])


def _holder(connection: Connection, key: int) -> str:
    row = connection.execute(QUERIES["migration_lock_holder"], {"key": key}).fetchone()
    if row is None:
        return "a session that has just ended"
    return f"{row[0] or 'a session without a name'} (server process {row[1]}, since {row[2]} UTC)"
