"""Before a migration: a snapshot of the instance, named after the first file that runs."""

from __future__ import annotations

from flows.endpoints import home_instances, writer
from flows.frame import Record, Run
from haven.aws import at_step
from haven.migrations.script import Script
from haven.migrations.snapshot import Shown, Wish, is_wanted, snapshot_name
from haven.pg import Connection
from haven.stack import names
from tasks.ledger import last_change
from tasks.snapshots import make_snapshot, observe_snapshots

ROLE = "restore-point"
FACT = "snapshot"


def take_snapshot(
    run: Run, record: Record, connection: Connection, first: Script, *, wish: Wish, word: str
) -> None:
    """Leave a snapshot behind that shows the database before a file, and note its name.

    A file that was begun has its restore point from the run that began it.
    """
    stack = run.loaded.stack
    if not is_wanted(wish, disposable=stack.disposable) or first.pending.begun:
        return
    found = writer(run, home_instances(run))
    region, instance = found.resource.region, found.resource.name
    now, changed = last_change(connection)
    shown = Shown(found.outputs["resource_id"], stack.prefix, now, changed)
    base = f"{instance}-{word}-{first.migration.number:04}"
    name = snapshot_name(base, observe_snapshots(run.site, region, instance), shown)
    run.progress(f"taking the snapshot {name}")
    with at_step(FACT):
        make_snapshot(run.site, region, instance, name, names.tags(stack, ROLE))
    record.facts[FACT] = name
