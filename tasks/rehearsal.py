"""A rehearsal on a clone: make the database as its files made it, load it, run what is pending."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from haven.errors import Conflict, Failed, HavenError
from haven.identifiers import identifier
from haven.migrations.catalogue import compare, counted, listed
from haven.migrations.files import UNTOUCHED, read_folder
from haven.migrations.forecast import Forecast
from haven.migrations.impact.references import added_references
from haven.migrations.lint.linter import judge
from haven.migrations.plan import plan_migrations
from haven.migrations.rehearsal import Locks, Rehearsal, rehearsed, verdict
from haven.migrations.script import Script, read_script
from haven.pg import Login, session, sql_error
from haven.sql import QUERIES
from haven.stack.database import database_changes
from tasks.bootstrap import change_database, look_at_database, set_password
from tasks.catalogue import read_live
from tasks.kinds import changes, looks
from tasks.ledger import read_ledger
from tasks.migration_files import apply_script
from tasks.migration_session import Work, open_work
from tasks.migration_work import Terms, alone, complete_ledger, patiently
from tasks.rehearsal_choice import Limits, find_references
from tasks.rehearsal_files import Rehearsing, rehearse_files, scale_of
from tasks.rehearsal_load import find_targets, loading
from tasks.rehearsal_sample import Sample, copy_sample
from tasks.rehearsal_watch import LOAD, watching

ATTEMPTS = 3
STATISTICS = (
    "statistics are those of the copied rows, since PostgreSQL before 18 cannot take them over; "
    "a plan may be another one with all rows"
)
SMALLER = "the clone is a smaller instance, freshly filled: times are for comparing statements"


@dataclass(frozen=True, slots=True)
class Clone:
    """Logins to the database that a rehearsal has for itself."""

    master: Login
    migrator: Login
    load: Login


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to rehearse: the folder's files after the first ``already``, and how.

    ``terms`` are those of a migration of the database itself, its lock timeout the limit by which
    locks are judged; ``forecasts`` are of the pending statements.
    """

    terms: Terms
    folder: Path
    already: int
    pending: tuple[str, ...]
    forecasts: Sequence[Forecast]
    limits: Limits = Limits()


@looks
def read_roles(login: Login) -> list[str]:
    """Return the names of a server's roles."""
    with session(login) as connection:
        return [name for (name,) in connection.execute(QUERIES["rehearsal_roles"]).fetchall()]


@changes
def make_roles(clone: Clone, logins: Sequence[Login], others: Sequence[str]) -> None:
    """Make roles, extensions and grants as provision does; ``others`` may log in nowhere."""
    change_database(clone.master, database_changes(look_at_database(clone.master)), logins)
    there = set(read_roles(clone.master))
    with session(clone.master) as connection:
        for name in sorted(set(others) - there):
            connection.execute(sql.SQL(QUERIES["rehearsal_role"]).format(role=identifier(name)))


def rehearse(source: Login, clone: Clone, wanted: Wanted) -> Rehearsal:
    """Clone a database onto one that is empty but for roles, and run what is pending there.

    ``source`` is a login that sees every row. Raises ``Failed`` naming the statement that cannot
    work, and ``Unavailable`` where running the same command again may.
    """
    try:
        return _rehearse(source, clone, wanted)
    except psycopg.Error as error:
        raise sql_error(error, clone.master.where) from None


def _rehearse(source: Login, clone: Clone, wanted: Wanted) -> Rehearsal:
    applied, pending = _scripts(wanted)
    terms = replace(wanted.terms, login=clone.migrator, attempts=ATTEMPTS)
    with (
        contextlib.closing(open_work(clone.migrator)) as connection,
        alone(terms, connection) as work,
    ):
        complete_ledger(work, read_ledger(work.connection))
        terms.progress(f"making the clone's schema by {len(applied)} applied files")
        for script in applied:
            _apply(work, script)
        terms.progress("copying rows to the clone")
        further = list(find_references(work.connection, added_references(pending)))
        sample = copy_sample(source, clone.master, wanted.limits, further)
        sample.notes += _unlike(wanted.terms, work)
        return _run_pending(clone, work, applied, pending, sample, wanted)


def _unlike(terms: Terms, work: Work) -> list[str]:
    """Say in what the clone's schema is not the database's."""
    with contextlib.closing(open_work(terms.login)) as connection:
        live = patiently(terms, lambda: read_live(connection, terms.lock_timeout), UNTOUCHED)
    found = compare(read_live(work.connection, terms.lock_timeout), live)
    if not found:
        return []
    return [
        f"the clone is made of files; from it to the database, {counted(found)}:\n{listed(found)}"
    ]


def _scripts(wanted: Wanted) -> tuple[list[Script], list[Script]]:
    """Read the files anew, as those of a database that has none of them."""
    plan = plan_migrations(read_folder(wanted.folder), ())
    scripts = [read_script(item) for item in plan.pending]
    applied, pending = scripts[: wanted.already], scripts[wanted.already :]
    if tuple(item.migration.name for item in pending) != wanted.pending:
        raise Conflict(
            f"The files in {wanted.folder} were changed while their rehearsal was prepared.",
            left="The database was not touched.",
            cure="Run the same command again.",
        )
    # What an applied file proved, it proved of rows that are not here.
    return [replace(item, headers=replace(item.headers, verifies=())) for item in applied], pending


def _apply(work: Work, script: Script) -> None:
    try:
        apply_script(work, script)
    except HavenError as error:
        raise Failed(
            f"The applied files do not run on an empty database, so it has no clone: {error.what}",
            left="The database was not touched.",
            cure="A file that stands on rows or roles made elsewhere has to make them itself.",
        ) from None


def _run_pending(
    clone: Clone,
    work: Work,
    applied: Sequence[Script],
    pending: Sequence[Script],
    sample: Sample,
    wanted: Wanted,
) -> Rehearsal:
    judged = judge([item.migration for item in applied], pending)
    _admit_load(clone)
    targets = find_targets(work.connection, {key for item in judged for key in item.locks})
    with (
        watching(clone.master, work.connection.info.backend_pid) as watch,
        loading(clone.load, targets) as load,
    ):
        rehearsing = Rehearsing(work, watch, _work_of(wanted.forecasts, sample))
        rehearse_files(rehearsing, pending)
    statements = rehearsed(rehearsing.measured, watch.looks, load.queries)
    return Rehearsal(
        statements,
        tuple(sample.tables),
        load.figures,
        verdict(statements, wanted.terms.lock_timeout),
        (*rehearsing.notes, *sample.notes, STATISTICS, SMALLER),
    )


def _admit_load(clone: Clone) -> None:
    with session(clone.master) as connection:
        role = identifier(clone.load.user)
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            connection.execute(sql.SQL(QUERIES["rehearsal_load_role"]).format(role=role))
        set_password(connection, LOAD, clone.load.password)
        connection.execute(
            sql.SQL(QUERIES["rehearsal_connect"]).format(
                database=identifier(clone.load.database), role=role
            )
        )


def _work_of(
    forecasts: Sequence[Forecast], sample: Sample
) -> Callable[[str, int, Locks], tuple[str, float]]:
    foreseen = {(item.file, item.line): item for item in forecasts}
    scales = {table.relation: table.scale for table in sample.tables}

    def work_of(file: str, line: int, locks: Locks) -> tuple[str, float]:
        item = foreseen.get((file, line))
        if item is None:
            return "", scale_of(locks, scales)
        # A short lock may come and go between two looks.
        return item.work, scale_of({*locks, *(lock.relation for lock in item.locks)}, scales)

    return work_of
