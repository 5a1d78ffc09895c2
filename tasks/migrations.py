"""Migrating a database: read the files and the ledger, decide, and run what is pending."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from haven.errors import Unavailable
from haven.migrations.files import Migration, read_folder
from haven.migrations.forecast import Forecast
from haven.migrations.plan import MigrationPlan, plan_migrations
from haven.migrations.script import Script, read_script
from haven.pg import Connection, Login, sql_error
from haven.waiting import SYSTEM_CLOCK, Clock
from tasks.kinds import changes
from tasks.ledger import Author, Ledger, make_ledger, read_ledger
from tasks.migration_files import apply_script
from tasks.migration_lock import run_lock, take_work
from tasks.migration_session import Work, open_work

if TYPE_CHECKING:
    from tasks.lint import Linted


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What a run applied, what was pending when it began, and how many files were there before.

    ``statements`` is how many statements the applied files hold; in a dry run, the pending ones.
    ``accepted`` has the hazards that pending files accept with their reasons, by file. A dry run
    says in ``forecasts`` what each pending statement will do.
    """

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    already: int
    statements: int
    accepted: Mapping[str, tuple[str, ...]]
    forecasts: tuple[Forecast, ...] = ()


@dataclass(frozen=True, slots=True)
class Around:
    """What is done around the files, on the session that runs them, if any file runs.

    ``before`` may raise to keep them from running.
    """

    before: Callable[[Connection], None] = lambda _: None
    after: Callable[[Connection], None] = lambda _: None


NOTHING = Around()


@changes
def migrate_database(
    login: Login,
    folder: Path,
    *,
    who: str,
    tool_version: str,
    lock_timeout: float,
    attempts: int,
    dry_run: bool,
    progress: Callable[[str], None],
    around: Around = NOTHING,
) -> MigrationResult:
    """Run every pending file of a folder; with ``dry_run`` only say which those are.

    Raises ``InvalidRequest`` or ``Refused`` before anything runs, ``Conflict`` when another
    run is at work, ``Failed`` naming the statement that cannot work, and ``Unavailable`` when
    the same command, run again, will go on.
    """
    author = Author(who, tool_version)
    files = read_folder(folder)
    try:
        return _migrate(login, files, author, lock_timeout, attempts, dry_run, progress, around)
    except psycopg.Error as error:
        # Without the cause: a run is not tried again by the step, but goes on when run again.
        raise sql_error(error, login.where) from None


def _migrate(
    login: Login,
    files: tuple[Migration, ...],
    author: Author,
    lock_timeout: float,
    attempts: int,
    dry_run: bool,
    progress: Callable[[str], None],
    around: Around,
    clock: Clock = SYSTEM_CLOCK,
) -> MigrationResult:
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(contextlib.closing(open_work(login)))
        plan = plan_migrations(files, read_ledger(connection).entries)
        scripts, linted = _read_all(files, plan)
        if not scripts or linted is None:
            return _result(plan, scripts, applied=False)
        if dry_run:
            found = _result(plan, scripts, applied=False)
            return replace(found, forecasts=_forecast(connection, scripts, linted, lock_timeout))
        lock = stack.enter_context(run_lock(login, author.who, clock=clock))
        work = Work(login, connection, lock, author, lock_timeout, attempts, progress, clock)
        stack.callback(work.close)
        take_work(connection, clock=clock)
        seen = read_ledger(connection)
        plan, before = plan_migrations(files, seen.entries), plan
        if plan != before:
            scripts, linted = _read_all(files, plan)
        if scripts:
            around.before(connection)
            _apply_all(work, seen, scripts, linted)
            around.after(work.connection)
        return _result(plan, scripts, applied=True)


def _apply_all(work: Work, seen: Ledger, scripts: list[Script], linted: Linted | None) -> None:
    from tasks.analyze import analyze, changed_tables  # noqa: PLC0415  # it needs the grammar

    _make_if_absent(work, seen)
    for script in scripts:
        apply_script(work, script)
        work.progress(f"applied {script.migration.name}")
    for table in analyze(work.connection, changed_tables(linted.judged if linted else [])):
        work.progress(f"analyzed {table}")


def _forecast(
    connection: Connection, scripts: list[Script], linted: Linted, lock_timeout: float
) -> tuple[Forecast, ...]:
    from tasks.migration_forecast import forecast  # noqa: PLC0415  # it needs the grammar

    return forecast(connection, scripts, linted, lock_timeout)


def _read_all(
    files: tuple[Migration, ...], plan: MigrationPlan
) -> tuple[list[Script], Linted | None]:
    scripts = [read_script(pending) for pending in plan.pending]
    if not scripts:
        return scripts, None
    # It loads the grammar, which a run with nothing to do does not pay for.
    from tasks.lint import lint  # noqa: PLC0415

    return scripts, lint(files[: plan.already], scripts)


def _make_if_absent(work: Work, seen: Ledger) -> None:
    if seen.has_table:
        return
    try:
        make_ledger(work.connection, seen)
    except psycopg.errors.InsufficientPrivilege:
        raise Unavailable(
            f"{work.login.where}: haven_owner may not create the schema haven_ops.",
            left="Nothing was touched.",
            cure="Provision grants CREATE on the database; run it, then this command again.",
        ) from None


def _result(plan: MigrationPlan, scripts: list[Script], *, applied: bool) -> MigrationResult:
    names = tuple(script.migration.name for script in scripts)
    return MigrationResult(
        applied=names if applied else (),
        pending=tuple(item.migration.name for item in plan.pending),
        already=plan.already,
        statements=sum(len(script.statements) - script.begun for script in scripts),
        accepted={
            script.migration.name: tuple(
                f"{hazard}: {reason}" for hazard, reason in script.headers.accepts
            )
            for script in scripts
            if script.headers.accepts
        },
    )
