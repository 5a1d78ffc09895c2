"""The frame of everything that changes a database by its ledger: one at a time, and written down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import psycopg

from haven.errors import Conflict, HavenError, Refused, Unavailable
from haven.migrations.catalogue import Drift, counted, listed
from haven.migrations.files import UNTOUCHED
from haven.migrations.script import Script
from haven.pg import Connection, Login
from haven.sql import QUERIES
from haven.waiting import SYSTEM_CLOCK, Clock
from tasks.catalogue import look_for_drift, record_catalogue
from tasks.ledger import Author, Ledger, add_event, make_ledger, read_ledger
from tasks.migration_lock import run_lock, take_work
from tasks.migration_session import IN_THE_WAY, Patience, Work, pause

T = TypeVar("T")

CUT_OFF = (
    "no run has written the catalogue down since the newest file, so what changed outside "
    "migrations before this run is not known"
)


@dataclass(frozen=True, slots=True)
class Terms:
    """On whose behalf and how patiently a run works; the lock timeout is in seconds."""

    login: Login
    author: Author
    lock_timeout: float
    attempts: int
    progress: Callable[[str], None]
    clock: Clock = SYSTEM_CLOCK


@dataclass(frozen=True, slots=True)
class Around:
    """What is done around the files, on the session that runs them, if any file runs.

    ``before`` gets the first of them; it may raise to keep them from running. ``between`` comes after each batch of a backfill;
    it may wait, or raise to put off the others.
    """

    before: Callable[[Connection, Script], None] = lambda _, __: None
    after: Callable[[Connection], None] = lambda _: None
    between: Callable[[Connection], None] = lambda _: None


NOTHING = Around()


def patiently(patience: Patience, act: Callable[[], T], left: str) -> T:
    """Read or write the catalogue, again while another session holds a lock on a table."""
    for attempt in range(patience.attempts - 1):
        try:
            return act()
        except psycopg.Error as error:
            if error.sqlstate not in IN_THE_WAY:
                raise
        pause(patience, attempt, "the catalogue: another session is in the way")
    try:
        return act()
    except psycopg.Error as error:
        if error.sqlstate not in IN_THE_WAY:
            raise
        raise Unavailable(
            "The catalogue could not be read, since another session holds a lock against reading "
            f"a table, at each of {patience.attempts} attempts.",
            left=left,
            cure="Find that session (pg_stat_activity), or wait for its end, and run the same "
            "command again.",
        ) from None


@contextlib.contextmanager
def alone(terms: Terms, connection: Connection) -> Iterator[Work]:
    """Hold the lock of a run for a block, and let the session do its work."""
    with run_lock(terms.login, terms.author.who, clock=terms.clock) as lock:
        work = Work(
            terms.login,
            connection,
            lock,
            terms.author,
            terms.lock_timeout,
            terms.attempts,
            terms.progress,
            terms.clock,
        )
        with contextlib.closing(work):
            take_work(connection, clock=terms.clock)
            yield work


@contextlib.contextmanager
def written_down(work: Work) -> Iterator[None]:
    """Write the catalogue down after a block, also after what a block that failed has done."""
    try:
        yield
    except HavenError:
        # What stopped the run is what is told; the next run writes down what this one cannot.
        with contextlib.suppress(HavenError, psycopg.Error):
            write_down(work)
        raise
    write_down(work)


def write_down(work: Work) -> None:
    """Write the catalogue down unless that was done since the newest file."""
    work.connection.execute(QUERIES["migration_role"])
    seen = read_ledger(work.connection)
    if seen.entries and not seen.recorded:
        patiently(
            work,
            lambda: record_catalogue(work.connection, work.lock_timeout),
            "The files are applied; the next run writes the catalogue down.",
        )


def complete_ledger(work: Work, seen: Ledger) -> None:
    """Make the ledger, or what an older Haven's lacks."""
    if seen.complete:
        return
    try:
        make_ledger(work.connection, seen, work.lock_timeout)
    except psycopg.errors.InsufficientPrivilege:
        raise Unavailable(
            f"{work.login.where}: haven_owner may not create the schema haven_ops.",
            left="Nothing was touched.",
            cure="Provision grants CREATE on the database; run it, then this command again.",
        ) from None


def check_drift(work: Work, seen: Ledger, accepted: str) -> Drift:
    """Return what changed outside migrations.

    Raises ``Refused`` unless there is nothing, or ``accepted`` names exactly that; then it is
    written down as it stands.
    """
    drift = patiently(
        work, lambda: look_for_drift(work.connection, seen, work.lock_timeout), UNTOUCHED
    )
    if not drift.known:
        work.progress(CUT_OFF)
    if drift.mark != accepted and drift.changes:
        raise Refused(
            f"{work.login.where}: {counted(drift.changes)} outside migrations:\n"
            f"{listed(drift.changes)}\n",
            left=UNTOUCHED,
            cure="Put them back, after which nothing has to be accepted; or, if they are right as "
            f"they are, run this command again with --param accept_drift={drift.mark}, and make "
            "a file of them for other databases.",
        )
    if drift.changes:
        _accept(work, seen, drift)
    return drift


def changed_meanwhile(login: Login) -> Conflict:
    """Say that what is being written down is not what was just held against the catalogue."""
    return Conflict(
        f"{login.where}: somebody changed objects while this run compared them.",
        left=UNTOUCHED,
        cure="Find out who did, and run the same command again; it lists what changed.",
    )


def _accept(work: Work, seen: Ledger, drift: Drift) -> None:
    with work.connection.transaction():
        texts = [change.text for change in drift.changes]
        add_event(
            work.connection,
            work.author,
            "drift accepted",
            seen.entries[-1].number,
            drift.mark,
            texts,
        )
        if record_catalogue(work.connection, work.lock_timeout) != drift.digest:
            raise changed_meanwhile(work.login)
