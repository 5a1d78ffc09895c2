"""Rehearse: run what is pending on a clone of its own, and tell what it would do to applications.

The stack is only read. The clone is an instance that the run makes and removes.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from flows.endpoints import home_instances
from flows.frame import Record, Run
from flows.models import Report
from flows.reading import reader
from flows.scratch_instance import passing_password, scratch_instance
from haven.migrations.rehearsal import Rehearsal
from haven.plan import Verb
from haven.stack.database import LOGINS
from tasks.migration_work import Terms
from tasks.migrations import MigrationResult
from tasks.rehearsal_watch import LOAD

APPLICATION = "haven rehearsal"
NOTHING = "no file is pending, so nothing was rehearsed"


def rehearse_pending(run: Run, record: Record, terms: Terms, found: MigrationResult) -> Rehearsal:
    """Rehearse the pending files of a stack; the record says what came of it."""
    if not found.pending:
        return Rehearsal(notes=(NOTHING,))
    # It loads the grammar, which other runs do not pay for.
    from tasks import rehearsal  # noqa: PLC0415

    wanted = rehearsal.Wanted(
        terms, run.settings.schema_dir, found.already, found.pending, found.forecasts
    )
    source = reader(run, home_instances(run), application=APPLICATION).login
    with scratch_instance(run, record, application=APPLICATION) as master:
        logins = {name: replace(master, user=name, password=passing_password()) for name in LOGINS}
        clone = rehearsal.Clone(
            master,
            logins["haven_migrator"],
            replace(master, user=LOAD, password=passing_password()),
        )
        run.progress("making the clone's roles")
        rehearsal.make_roles(clone, tuple(logins.values()), rehearsal.read_roles(source))
        record.check_lease()
        done = rehearsal.rehearse(source, clone, wanted)
    _record(record, done)
    return done


def show(report: Report, rehearsal: Rehearsal) -> None:
    """Put what was rehearsed into the steps of a report, and what is to be minded into warnings."""
    for step in report.steps:
        own = [item.text for item in rehearsal.statements if item.file == step.subject]
        step.verb = Verb.REHEARSE
        step.changes = own or step.changes
    copied = [
        f"{table.relation}: {table.rows:,} rows copied"
        + (f" of about {table.of:,}" if table.of is not None and table.of > table.rows else "")
        for table in rehearsal.tables
        if table.rows
    ]
    load = [rehearsal.load.text] if rehearsal.load.sessions else []
    report.warnings += [*rehearsal.too_long, *load, *copied, *rehearsal.notes]


def _record(record: Record, rehearsal: Rehearsal) -> None:
    record.changes = [f"{Verb.REHEARSE} {item.text}" for item in rehearsal.statements]
    record.changes += rehearsal.too_long
    record.figures |= {
        "statements rehearsed": len(rehearsal.statements),
        "rows copied": sum(table.rows for table in rehearsal.tables),
        "longest block, s": max((item.longest_block for item in rehearsal.statements), default=0.0),
        "WAL, bytes": sum(item.wal for item in rehearsal.statements),
        "locks beyond the limit": len(rehearsal.too_long),
    }
    record.facts |= {"rehearsal": asdict(rehearsal)}
