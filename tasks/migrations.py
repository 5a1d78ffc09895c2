"""Migrating a database: read the files and the ledger, decide, and run what is pending."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from haven.migrations.catalogue import Drift
from haven.migrations.files import UNTOUCHED, Migration, read_folder
from haven.migrations.forecast import Forecast
from haven.migrations.plan import MigrationPlan, plan_migrations
from haven.migrations.script import Script, read_script
from haven.pg import Connection, sql_error
from tasks.catalogue import look_for_drift
from tasks.kinds import changes
from tasks.ledger import RestorePoint, read_ledger, read_restore_point
from tasks.migration_files import apply_script
from tasks.migration_session import Work, open_work
from tasks.migration_work import (
    NOTHING,
    Around,
    Terms,
    alone,
    check_drift,
    complete_ledger,
    patiently,
    written_down,
)

if TYPE_CHECKING:
    from tasks.lint import Linted


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What a run applied, what was pending when it began, and how many files were there before.

    ``statements`` is how many statements the applied files hold; in a dry run, the pending ones.
    ``accepted`` has the hazards that pending files accept with their reasons, by file. A dry run
    says in ``forecasts`` what each pending statement will do. ``drift`` is none where nothing was
    compared; ``restore`` is the point just before the first file that this run applied.
    """

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    already: int
    statements: int
    accepted: Mapping[str, tuple[str, ...]]
    forecasts: tuple[Forecast, ...] = ()
    drift: Drift | None = None
    restore: RestorePoint | None = None


@changes
def migrate_database(
    terms: Terms,
    folder: Path,
    *,
    accept_drift: str = "",
    around: Around = NOTHING,
    dry_run: bool = False,
) -> MigrationResult:
    """Run every pending file of a folder; with ``dry_run`` only say which those are.

    ``accept_drift`` names what changed outside migrations, as a dry run does. Raises
    ``InvalidRequest`` or ``Refused`` before anything runs, ``Conflict`` when another run is at
    work, ``Failed`` naming the statement that cannot work, and ``Unavailable`` when the same
    command, run again, will go on.
    """
    files = read_folder(folder)
    try:
        with contextlib.closing(open_work(terms.login)) as connection:
            if dry_run:
                return _look(terms, connection, files)
            return _migrate(terms, connection, files, accept_drift, around)
    except psycopg.Error as error:
        # Without the cause: a run is not tried again by the step, but goes on when run again.
        raise sql_error(error, terms.login.where) from None


def _look(terms: Terms, connection: Connection, files: tuple[Migration, ...]) -> MigrationResult:
    seen = read_ledger(connection)
    plan = plan_migrations(files, seen.entries)
    scripts, linted = _read_all(files, plan)
    found = _result(plan, scripts, applied=False)
    if seen.entries:
        drift = patiently(
            terms, lambda: look_for_drift(connection, seen, terms.lock_timeout), UNTOUCHED
        )
        found = replace(found, drift=drift)
    if linted is None:
        return found
    return replace(found, forecasts=_forecast(connection, scripts, linted, terms.lock_timeout))


def _migrate(
    terms: Terms,
    connection: Connection,
    files: tuple[Migration, ...],
    accept_drift: str,
    around: Around,
) -> MigrationResult:
    seen = read_ledger(connection)
    plan = plan_migrations(files, seen.entries)
    scripts, linted = _read_all(files, plan)
    if not scripts and seen.recorded and not accept_drift:
        return _result(plan, scripts, applied=False)
    with alone(terms, connection) as work:
        seen = read_ledger(connection)
        plan, before = plan_migrations(files, seen.entries), plan
        if plan != before:
            scripts, linted = _read_all(files, plan)
        if scripts:
            around.before(connection, scripts[0])
        drift = check_drift(work, seen, accept_drift) if seen.entries else Drift()
        complete_ledger(work, seen)
        with written_down(work):
            _apply_all(work, scripts, linted, around)
        if scripts:
            around.after(work.connection)
        restore = read_restore_point(work.connection, [item.migration.number for item in scripts])
        return replace(_result(plan, scripts, applied=True), drift=drift, restore=restore)


def _apply_all(work: Work, scripts: list[Script], linted: Linted | None, around: Around) -> None:
    for script in scripts:
        apply_script(work, script, around.between)
        work.progress(f"applied {script.migration.name}")
    if linted is None:
        return
    from tasks.analyze import analyze, changed_tables  # noqa: PLC0415  # it needs the grammar

    for table in analyze(work.connection, changed_tables(linted.judged)):
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
