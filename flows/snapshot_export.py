"""An export that RDS makes of a snapshot: nothing is read from a server that anybody uses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flows.endpoints import home_instances, writer
from flows.export_models import ExportParameters, ExportReport
from flows.export_telling import step, tell
from flows.frame import Record, Run
from flows.reading import reader
from flows.tool import tool_version
from haven.errors import Failed, InvalidRequest
from haven.export.manifest import Export, ExportedTable, Variant
from haven.export.snapshot_task import missing, skipped
from haven.export.tables import sort_out
from haven.plan import Verb
from haven.stack import names
from haven.verification.choice import Copy
from tasks.backups import observe_copies
from tasks.export_store import Store, put_manifest
from tasks.export_tables import read_tables
from tasks.export_tasks import (
    Ended,
    Wish,
    cancel_export,
    read_exported,
    read_told,
    start_export,
    wait_export,
)
from tasks.snapshots import make_snapshot
from tasks.verifications import verified_snapshot

APPLICATION = "haven export"
SNAPSHOT = "snapshot"
ROLE = "export"
# An older one says too little of the week; then a fresh one is made.
NEW_ENOUGH = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Scene:
    """Which snapshot is exported, and the tables that it must hold."""

    instance: str
    resource_id: str
    server: str
    copy: Copy | None
    fresh: str
    expected: tuple[str, ...]
    left: dict[str, str]


def refuse_variant(variant: Variant) -> None:
    """Raise ``InvalidRequest`` for what RDS cannot leave out."""
    if variant is not Variant.FULL:
        raise InvalidRequest(
            f"RDS exports whole columns, so there is no variant {variant} of it.",
            left="Nothing was exported.",
            cure='Set way = "logical" in the export section of the stack file.',
        )


def export_snapshot(
    run: Run,
    record: Record,
    store: Store,
    name: str,
    parameters: ExportParameters,
    report: ExportReport,
) -> None:
    """Export the newest verified snapshot, or a fresh one. Raises ``Failed`` for what was skipped."""
    scene = _look(run, name)
    report.left = scene.left
    made = scene.copy.name if scene.copy else scene.fresh
    report.steps = [
        *([] if scene.copy else [step(Verb.CREATE, f"snapshot/{made}", "none is verified")]),
        step(Verb.CREATE, "export task", f"of {made}"),
        step(Verb.CREATE, "manifest", f"of {store.address}"),
    ]
    if parameters.dry_run:
        return
    record.changes = [f"{one.verb} {one.subject}" for one in report.steps]
    ended = _run_task(run, record, store, name, _snapshot(run, scene))
    tables = _prove(run, store, scene, ended)
    record.check_lease()
    made_of = _manifest(run, name, scene, ended, tables)
    report.sha256 = put_manifest(store, made_of)
    tell(report, record, store, made_of)


def _look(run: Run, name: str) -> Scene:
    observed = home_instances(run)
    found = writer(run, observed)
    login = reader(run, observed, application=APPLICATION).login
    tables, server = read_tables(login)
    left = sort_out(tables).left
    database = run.loaded.stack.database.name
    return Scene(
        found.resource.name,
        found.outputs["resource_id"],
        server,
        _verified(run, found.resource.name),
        f"{run.loaded.stack.prefix}-export-{name}".lower().replace(".", "-").replace("_", "-"),
        tuple(f"{database}.{one.schema}.{one.name}" for one in tables if one.identity not in left),
        left,
    )


def _verified(run: Run, instance: str) -> Copy | None:
    """Return the newest snapshot that was verified, if it is new enough and still there."""
    found = verified_snapshot(run.site)
    if found is None or found.restored_to < datetime.now(UTC) - NEW_ENOUGH:
        return None
    copies = observe_copies(run.site, run.loaded.stack.region, instance)
    return next((one for one in copies if one.arn == found.backup and one.available), None)


def _snapshot(run: Run, scene: Scene) -> str:
    """Return the ARN of the snapshot, made now where none is verified."""
    if scene.copy is not None:
        return scene.copy.arn
    stack = run.loaded.stack
    run.progress(f"taking the snapshot {scene.fresh}")
    make_snapshot(run.site, stack.region, scene.instance, scene.fresh, names.tags(stack, ROLE))
    return names.rds_arn(stack, stack.region, "snapshot", scene.fresh)


def _run_task(run: Run, record: Record, store: Store, name: str, snapshot: str) -> Ended:
    stack = run.loaded.stack
    role = f"arn:aws:iam::{stack.account}:role/{stack.prefix}-export"
    record.check_lease()
    task = start_export(run.site, store, Wish(stack.prefix, name, snapshot, role))
    run.progress(f"RDS exports {snapshot} as {task}")
    try:
        return wait_export(run.site, task)
    except Exception:
        raise
    except BaseException:
        # Somebody ended this run: RDS would go on, and cost.
        cancel_export(run.site, task)
        raise


def _prove(run: Run, store: Store, scene: Scene, ended: Ended) -> list[ExportedTable]:
    run.progress("reading back what RDS has written")
    tables, keys = read_told(store, ended)
    wrong = skipped(ended.warning) + missing(scene.expected, tables, keys, ended.place)
    if wrong:
        raise Failed(
            f"The export task {ended.name} is not complete: {'; '.join(wrong)}.",
            left="What it has written stays; there is no manifest.",
            cure='Rename what RDS cannot export, or set way = "logical" in the export section of the '
            "stack file. A table that was made after the snapshot needs a newer snapshot: use "
            "another name.",
        )
    return read_exported(store, ended, tables)


def _manifest(
    run: Run, name: str, scene: Scene, ended: Ended, tables: list[ExportedTable]
) -> Export:
    return Export(
        way=SNAPSHOT,
        variant=Variant.FULL,
        stack=run.loaded.stack.prefix,
        name=name,
        instance=scene.instance,
        resource_id=scene.resource_id,
        on_replica=False,
        server=scene.server,
        taken_at=ended.taken_at,
        snapshot=ended.source,
        lsn="",
        ledger=(),
        tables=tuple(tables),
        left=scene.left,
        tool_version=tool_version(),
    )
