"""The session that runs migration files: sending SQL, losing the server and coming back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import psycopg
from psycopg import generators, pq

from haven import pg
from haven.errors import Failed, HavenError, InvalidRequest
from haven.pg import Connection, Login, open_connection
from haven.sql import QUERIES
from haven.waiting import Clock, backoff
from tasks.ledger import Author
from tasks.migration_lock import OPTIONS, RunLock, lock_lost, take_work

# Another session was in the way; the same file, run again, may succeed (PostgreSQL, Appendix A).
IN_THE_WAY = frozenset({"55P03", "40P01", "40001"})
# The server ends the session: shut down, crashed, or starting.
GOING_DOWN = frozenset({"57P01", "57P02", "57P03"})
BACKOFF_BASE = 0.2
BACKOFF_CAP = 10.0
_WRONG = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE})
_COPIES = frozenset({pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH})


@dataclass(frozen=True, slots=True)
class Sent:
    """How a string of statements went: how many were done, and what the next one raised.

    ``value`` is the first value that the last statement returned, if it returned any.
    """

    done: int
    error: psycopg.Error | None = None
    lost: bool = False
    value: str | None = None

    @property
    def in_the_way(self) -> bool:
        """Tell whether another session's lock was the cause."""
        return self.error is not None and self.error.sqlstate in IN_THE_WAY


class Patience(Protocol):
    """How often something is tried, who hears of it, and what measures the pauses."""

    @property
    def attempts(self) -> int:
        """How often at most."""

    @property
    def progress(self) -> Callable[[str], None]:
        """Who hears of it."""

    @property
    def clock(self) -> Clock:
        """What measures the pauses."""


def pause(patience: Patience, attempt: int, why: str) -> None:
    """Wait with jitter before another attempt, counted from 0, and say why."""
    delay = backoff(attempt, base=BACKOFF_BASE, cap=BACKOFF_CAP)
    patience.progress(f"{why}; attempt {attempt + 2} of {patience.attempts} in {delay:.1f} s")
    patience.clock.sleep(delay)


@dataclass(slots=True)
class Work:
    """What running a file needs: the session, the lock, the limits, and who hears of it.

    ``place`` is where the file before left the WAL; none where that is to be asked.
    """

    login: Login
    connection: Connection
    lock: RunLock
    author: Author
    lock_timeout: float
    attempts: int
    progress: Callable[[str], None]
    clock: Clock
    place: str | None = None

    def send(self, text: bytes) -> Sent:
        """Send statements as one string, in one round trip; stop at the first error."""
        return send(self.connection, text)

    def pause(self, attempt: int, why: str) -> None:
        """Wait with jitter before another attempt, counted from 0, and say why."""
        pause(self, attempt, why)

    def close(self) -> None:
        """Close the session that is open now."""
        self.connection.close()

    def reopen(self) -> None:
        """Open the session again after it was lost; the lock must not have been lost too."""
        self.connection.close()
        if not self.lock.held():
            raise lock_lost()
        self.connection = open_work(self.login)
        take_work(self.connection, clock=self.clock)


def open_work(login: Login) -> Connection:
    """Open a session that acts as the owner. Raises ``Failed`` when it may not."""
    # Whether the server is a primary is asked in so many words, for the sake of the message.
    connection = open_connection(
        replace(
            login,
            writable=False,
            application="haven migrate",
            options=OPTIONS,
            answer_limit=None,
        )
    )
    try:
        connection.execute(QUERIES["migration_role"])
    except psycopg.Error as error:
        connection.close()
        raise _role_error(error, login) from None
    return connection


def _role_error(error: psycopg.Error, login: Login) -> HavenError:
    if pg.is_transient(error):
        return pg.sql_error(error, login.where)
    sort = InvalidRequest if error.sqlstate in {"42501", "22023"} else Failed
    return sort(
        f"{login.where} cannot act as haven_owner: {pg.first_line(error)}.",
        left="Nothing was touched.",
        cure="Provision makes the roles; run it first.",
    )


def send(connection: Connection, text: bytes) -> Sent:
    """Send statements as one string; tell how many were done before an error.

    The one string is what makes a small file cost one round trip, and its results, one per
    statement, tell which statement failed.
    """
    try:
        connection.pgconn.send_query(text)
        results = connection.wait(generators.execute(connection.pgconn))
    except psycopg.OperationalError as error:
        return Sent(0, error, lost=True)
    for done, result in enumerate(results):
        if result.status in _WRONG:
            raised = psycopg.errors.error_from_result(result)
            gone = connection.closed or raised.sqlstate in GOING_DOWN
            return Sent(done, raised, lost=gone)
        if result.status in _COPIES:
            connection.close()
            raise Failed("A statement began a COPY, which the runner cannot serve.")
    return Sent(len(results), value=_first_value(results[-1]) if results else None)


def _first_value(result: pq.abc.PGresult) -> str | None:
    value = result.get_value(0, 0) if result.ntuples else None
    return value.decode() if value is not None else None
