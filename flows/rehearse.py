"""Rehearse: run what is pending on a clone of its own, and tell what it would do to applications.

The stack is only read. The clone is an instance that the run makes and removes; one that a killed
run left is removed by the next, or by destroy.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

from flows.endpoints import home_instances
from flows.frame import Record, Run
from flows.models import Report
from flows.observation import observe_stack
from flows.reading import reader
from haven.errors import Conflict, HavenError
from haven.migrations.rehearsal import Rehearsal
from haven.pg import Login
from haven.plan import Verb
from haven.stack import names
from haven.stack.database import LOGINS
from haven.stack.decide import refuse_foreign
from haven.stack.instance import Instance
from haven.stack.rehearsal import ROLE, scratch
from haven.stack.resource import Found, Resource
from haven.stack.topology import topology
from tasks.instances import delete_instance
from tasks.migration_work import Terms
from tasks.migrations import MigrationResult
from tasks.rehearsal_instance import make_scratch
from tasks.rehearsal_watch import LOAD

APPLICATION = "haven rehearsal"
PASSWORD_BYTES = 24
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
    with _scratch_instance(run, record) as master:
        logins = {name: replace(master, user=name, password=_password()) for name in LOGINS}
        clone = rehearsal.Clone(
            master,
            logins["haven_migrator"],
            replace(master, user=LOAD, password=_password()),
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


@contextmanager
def _scratch_instance(run: Run, record: Record) -> Iterator[Login]:
    """Hold an instance for a block, and yield its master's login. It is gone afterwards.

    Raises ``Conflict`` when an instance of that name is not the stack's.
    """
    described = scratch(run.loaded.stack)
    needs = [item for item in topology(run.loaded.stack) if item.address in described.needs]
    observed = observe_stack(run, [*needs, described])
    _remove(run, described)
    record.check_lease()
    known = {address: found.outputs for address, found in observed.items()}
    instance = described.resolve(known)
    run.progress(f"making {instance.address}")
    try:
        yield make_scratch(run.site, instance, _master(run, instance))
    except BaseException as error:
        _remove_after(run, described, error)
        raise
    _remove(run, described)


def _master(run: Run, instance: Instance) -> Login:
    return Login(
        host="",
        port=instance.port,
        database=instance.database,
        user=instance.master_username,
        password=_password(),
        ca_bundle=run.site.cloud.ca_bundle,
        application=APPLICATION,
        answer_limit=run.settings.request_timeout,
    )


def _remove_after(run: Run, instance: Instance, error: BaseException) -> None:
    """Remove the instance of a rehearsal that failed, whose error is the one to be told."""
    try:
        _remove(run, instance)
    except HavenError as other:
        error.add_note(f"{instance.address} was not removed: {other}")


def _remove(run: Run, instance: Instance) -> None:
    """Delete the instance where there is one, and wait until it is gone; others' are refused."""
    found = observe_stack(run, [instance]).get(instance.address)
    if found is None or not isinstance(found.resource, Instance):
        return
    refuse_foreign(run.loaded.stack, instance, found)
    _refuse_other_role(instance, found)
    run.progress(f"removing {instance.address}")
    delete_instance(run.site, Found(found.resource, found.arn))


def _refuse_other_role(instance: Instance, found: Found[Resource]) -> None:
    """Raise ``Conflict`` for an instance of the stack that no rehearsal made: it may be kept."""
    role = (found.tags or {}).get(names.TAG_ROLE)
    if role != ROLE:
        raise Conflict(
            f"{instance.address} has the role '{role}' in its tags, not '{ROLE}' ({found.arn}).",
            left="It was not touched.",
            cure="Find out what it is for, and rename or delete it.",
        )


def _password() -> str:
    """Make a password that nobody keeps."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


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
