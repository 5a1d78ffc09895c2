"""Migrate: bring the database from the files that were applied to all that there are.

Find the primary and the migrator's secret, hold the files against the ledger, refuse what
contradicts it, run what is pending, and record who ran what.
"""

from __future__ import annotations

import time
from datetime import UTC

from pydantic import Field

from flows.endpoints import writer_login
from flows.frame import Record, Run, operation
from flows.migration_moment import check_now, keep_pace, replicas_behind
from flows.migration_snapshot import FACT, take_snapshot
from flows.migration_turns import Turn, TurnParameters, turn_of
from flows.models import PlannedStep, Report, as_parameters
from flows.rehearse import rehearse_pending, show
from flows.tool import tool_version
from haven.migrations.catalogue import Change, Drift, counted, listed
from haven.migrations.forecast import Forecast, sentences
from haven.migrations.moment import Objection
from haven.migrations.rehearsal import Rehearsal
from haven.migrations.script import Script
from haven.migrations.snapshot import Wish
from haven.pg import Connection
from haven.plan import Verb
from tasks.ledger import Author, RestorePoint
from tasks.migration_work import CUT_OFF, Around, Terms
from tasks.migrations import MigrationResult, migrate_database

LOGIN = "haven_migrator"
ATTEMPTS = 10


class MigrateParameters(TurnParameters):
    """What a migrate run may do."""

    despite: list[Objection] = Field(
        default_factory=list,
        title="Migrate despite",
        description="What may stand against it: a busy instance, an open backup or maintenance "
        "window, a replica that is behind.",
        json_schema_extra={"position": 2},
    )

    snapshot: Wish = Field(
        Wish.WHERE_KEPT,
        title="Snapshot",
        description="Take a manual snapshot before the first file: where the stack is kept, which is "
        "one that is not disposable; always; or never.",
        json_schema_extra={"position": 9},
    )


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
    drift: list[Change] = Field(
        default_factory=list, description="Objects that were changed outside migrations."
    )
    snapshot: str = Field("", description="The snapshot that shows the database before this run.")
    rehearsal: Rehearsal | None = Field(
        None, description="What a rehearsal found; the files are still pending."
    )


def migrate(run: Run, parameters: MigrateParameters) -> MigrateReport:
    """Apply the migration files that the database does not have yet, or what else is asked."""
    begin = time.monotonic()
    with operation(
        run,
        "migrate",
        as_parameters(parameters),
        dry_run=parameters.dry_run,
        lock=parameters.rehearse,
    ) as record:
        terms = Terms(
            writer_login(run, None, LOGIN, application="haven migrate"),
            Author(record.who, tool_version()),
            run.settings.lock_timeout,
            ATTEMPTS,
            run.progress,
        )
        late: list[str] = []
        around = Around(
            lambda connection, first: _before(run, record, parameters, connection, first),
            lambda connection: late.extend(replicas_behind(run, connection)),
            keep_pace(run, parameters.despite),
        )
        turn = turn_of(run, parameters, terms, around)
        run.progress("holding the migration files against the ledger")
        report = (
            _turned(run, record, turn()) if turn else _apply(run, record, parameters, terms, around)
        )
    report.warnings += late
    report.snapshot = record.facts.get(FACT, "")
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.dry_run = parameters.dry_run or parameters.rehearse
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence = record.key
    return report


def _before(
    run: Run, record: Record, parameters: MigrateParameters, connection: Connection, first: Script
) -> None:
    check_now(run, connection, parameters.despite)
    word = "premig" if parameters.to is None else "preundo"
    take_snapshot(run, record, connection, first, wish=parameters.snapshot, word=word)


def _apply(
    run: Run, record: Record, parameters: MigrateParameters, terms: Terms, around: Around
) -> MigrateReport:
    dry_run = parameters.dry_run or parameters.rehearse
    result = migrate_database(
        terms,
        run.settings.schema_dir,
        accept_drift=parameters.accept_drift,
        around=around,
        dry_run=dry_run,
    )
    _record(run, record, result)
    report = _report(run, result, record.facts.get(FACT, ""), dry_run=dry_run)
    if parameters.rehearse:
        report.rehearsal = rehearse_pending(run, record, terms, result)
        show(report, report.rehearsal)
    return report


def _turned(run: Run, record: Record, turn: Turn) -> MigrateReport:
    record.changes = turn.changes
    record.facts |= {"warnings": turn.warnings} if turn.warnings else {}
    return MigrateReport(
        operation="migrate",
        stack=run.loaded.stack.prefix,
        dry_run=False,
        steps=turn.steps,
        warnings=turn.warnings,
    )


def _record(run: Run, record: Record, result: MigrationResult) -> None:
    accepted = result.drift.changes if result.drift else ()
    record.changes = [f"accept drift: {change.text}" for change in accepted] + [
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


def _report(run: Run, result: MigrationResult, snapshot: str, *, dry_run: bool) -> MigrateReport:
    return MigrateReport(
        operation="migrate",
        stack=run.loaded.stack.prefix,
        dry_run=dry_run,
        steps=[_step(name, result) for name in result.pending],
        applied=list(result.applied),
        pending=list(result.pending),
        already=result.already,
        statements=result.statements,
        forecasts=list(result.forecasts),
        drift=list(result.drift.changes) if result.drift else [],
        restore=_way_back(result.restore, snapshot) if result.restore else "",
        warnings=_warnings(result.drift) if dry_run and result.drift else [],
    )


def _warnings(drift: Drift) -> list[str]:
    if not drift.known:
        return [CUT_OFF]
    if not drift.changes:
        return []
    refused = f"a run is refused unless it has --param accept_drift={drift.mark}"
    changes = listed(drift.changes, limit=None)
    return [f"{counted(drift.changes)} outside migrations; {refused}:\n{changes}"]


def _way_back(point: RestorePoint, snapshot: str) -> str:
    """Say how to get back; RDS restores to a full second, and an earlier one is safe."""
    copied = f"restore the snapshot {snapshot} as a new instance, " if snapshot else ""
    moment = point.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"To be as before {point.file}: {copied}restore the instance to a point in time, {moment} (WAL "
        f"{point.lsn}), or undo the files with --param to={point.number - 1} where each has a "
        "down file."
    )


def _step(name: str, result: MigrationResult) -> PlannedStep:
    return PlannedStep(
        verb=Verb.APPLY,
        subject=name,
        because="it is not in the ledger",
        changes=sentences([item for item in result.forecasts if item.file == name]),
        hazards=list(result.accepted.get(name, ())),
    )
