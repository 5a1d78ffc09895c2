"""Migrate: bring the database from the files that were applied to all that there are.

Find the primary and the migrator's secret, hold the files against the ledger, refuse what
contradicts it, run what is pending, and record who ran what.
"""

from __future__ import annotations

import time
from importlib.metadata import PackageNotFoundError, version
from typing import Self

from pydantic import Field, model_validator

from flows.endpoints import writer_login
from flows.frame import Record, Run, operation
from flows.migration_moment import check_now, replicas_behind
from flows.models import Parameters, PlannedStep, Report, as_parameters
from flows.rehearse import rehearse_pending, show
from haven.migrations.forecast import Forecast, sentences
from haven.migrations.moment import Objection
from haven.migrations.rehearsal import Rehearsal
from haven.plan import Verb
from tasks.ledger import Author
from tasks.migrations import Around, MigrationResult, migrate_database

LOGIN = "haven_migrator"
ATTEMPTS = 10


class MigrateParameters(Parameters):
    """What a migrate run may do."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Check every file against the ledger, change nothing, list what would run.",
        json_schema_extra={"position": 1},
    )

    despite: list[Objection] = Field(
        default_factory=list,
        title="Migrate despite",
        description="What may stand against it: a busy instance, an open backup or maintenance "
        "window, a replica that is behind.",
        json_schema_extra={"position": 2},
    )
    rehearse: bool = Field(
        False,
        title="Rehearse",
        description="Run what is pending on a clone under a small load, tell the time, locks, "
        "blocked sessions and WAL of each statement; change nothing on the stack.",
        json_schema_extra={"position": 3},
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.rehearse and self.dry_run:
            raise ValueError("a dry run does not rehearse, and a rehearsal is none: choose one")
        return self


class MigrateReport(Report):
    """What a migrate run found and did."""

    applied: list[str] = Field(default_factory=list, description="Files that this run applied.")
    pending: list[str] = Field(
        default_factory=list, description="Files that were not applied when the run began."
    )
    already: int = Field(0, description="How many files were applied before.")
    statements: int = Field(
        0, description="Statements of the files applied, in a dry run of the pending ones."
    )
    forecasts: list[Forecast] = Field(
        default_factory=list,
        description="In a dry run: what each statement locks, reads or writes, and how long it may wait.",
    )
    rehearsal: Rehearsal | None = Field(
        None, description="What a rehearsal found; the files are still pending."
    )


def migrate(run: Run, parameters: MigrateParameters) -> MigrateReport:
    """Apply the migration files that the database does not have yet."""
    begin = time.monotonic()
    dry_run, rehearse = parameters.dry_run, parameters.rehearse
    late: list[str] = []
    rehearsal: Rehearsal | None = None
    with operation(
        run, "migrate", as_parameters(parameters), dry_run=dry_run, lock=rehearse
    ) as record:
        run.progress("holding the migration files against the ledger")
        result = migrate_database(
            writer_login(run, None, LOGIN, application="haven migrate"),
            run.settings.schema_dir,
            who=record.who,
            tool_version=tool_version(),
            lock_timeout=run.settings.lock_timeout,
            attempts=ATTEMPTS,
            dry_run=dry_run or rehearse,
            progress=run.progress,
            around=Around(
                lambda connection: check_now(run, connection, parameters.despite),
                lambda connection: late.extend(replicas_behind(run, connection)),
            ),
        )
        _record(run, record, result)
        if rehearse:
            rehearsal = rehearse_pending(run, record, result, Author(record.who, tool_version()))
    report = _report(run, result, dry_run=dry_run or rehearse)
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence = record.key
    report.warnings = late
    report.rehearsal = rehearsal
    if rehearsal:
        show(report, rehearsal)
    return report


def tool_version() -> str:
    """Return the version of Haven that is installed."""
    try:
        return version("haven")
    except PackageNotFoundError:
        return "not installed"


def _record(run: Run, record: Record, result: MigrationResult) -> None:
    record.changes = [
        f"{Verb.APPLY} {name}"
        + "".join(f", accepting {words}" for words in result.accepted.get(name, ()))
        for name in result.applied
    ]
    record.figures = {
        "files applied": len(result.applied),
        "files applied before": result.already,
        "statements": result.statements,
        "AWS requests": len(run.journal.calls),
    }


def _report(run: Run, result: MigrationResult, *, dry_run: bool) -> MigrateReport:
    return MigrateReport(
        operation="migrate",
        stack=run.loaded.stack.prefix,
        dry_run=dry_run,
        steps=[_step(name, result) for name in result.pending],
        aws_reads=run.journal.reads,
        aws_writes=run.journal.writes,
        applied=list(result.applied),
        pending=list(result.pending),
        already=result.already,
        statements=result.statements,
        forecasts=list(result.forecasts),
    )


def _step(name: str, result: MigrationResult) -> PlannedStep:
    return PlannedStep(
        verb=Verb.APPLY,
        subject=name,
        because="it is not in the ledger",
        changes=sentences([item for item in result.forecasts if item.file == name]),
        hazards=list(result.accepted.get(name, ())),
    )
