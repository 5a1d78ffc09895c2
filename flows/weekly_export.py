"""Export the database: every table from a replica, at one moment, into Parquet in S3.

The manifest comes last, after what S3 holds was read back: without it there is no export. A run that
was killed is resumed by the next one; what it had finished is kept where nothing of it has changed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.endpoints import home_instances, writer
from flows.export_models import ExportParameters, ExportReport
from flows.export_proof import prove
from flows.export_telling import step, tell
from flows.frame import Record, Run, operation
from flows.models import as_parameters
from flows.reading import Reader, reader
from flows.snapshot_export import SNAPSHOT, export_snapshot, refuse_variant
from flows.tool import tool_version
from haven.errors import Refused
from haven.export import keys
from haven.export.columns import Form
from haven.export.manifest import LOGICAL, Export, Variant
from haven.export.policy import digest, everything, select, without_policy
from haven.export.tables import Selected, Table, sort_out
from haven.plan import Verb
from haven.retention.exported import proofs_of
from tasks.export_key import check_hash_key, hash_key
from tasks.export_store import Store, open_store, put_manifest, read_manifest
from tasks.export_tables import Exported, Wanted, export_tables, read_tables
from tasks.proofs import add_proof

APPLICATION = "haven export"
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to export, from where, and what of it is not."""

    reader: Reader
    resource_id: str
    server: str
    selected: tuple[Selected, ...]
    left: dict[str, str]


def weekly_export(run: Run, parameters: ExportParameters) -> ExportReport:
    """Export once. Raises ``Refused`` for a table that cannot be kept, naming it."""
    begin = time.monotonic()
    with operation(
        run, "weekly-export", as_parameters(parameters), dry_run=parameters.dry_run
    ) as record:
        report = ExportReport(
            operation="weekly-export",
            stack=run.loaded.stack.prefix,
            dry_run=parameters.dry_run,
            variant=parameters.variant,
        )
        _export(run, record, parameters, report)
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence = record.key
    return report


def _export(run: Run, record: Record, parameters: ExportParameters, report: ExportReport) -> None:
    name = parameters.name or keys.week(datetime.now(UTC).date())
    by_rds = run.loaded.stack.export.way == SNAPSHOT
    if by_rds:
        refuse_variant(parameters.variant)
    store = open_store(run.site, name, parameters.variant)
    done = read_manifest(store)
    if done is not None:
        report.details.append(f"{store.address} is finished; another name makes another export.")
        policy = digest(run.loaded.stack.export.deidentified.columns)
        if done.policy not in ("", policy):
            report.warnings.append("The column policy has changed since it was made.")
        tell(report, record, store, done)
        return
    if by_rds:
        export_snapshot(run, record, store, name, parameters, report)
        return
    run.progress("looking at the database")
    scene = _look(run, parameters.variant, report)
    report.left = scene.left
    report.steps = [
        *(
            step(Verb.CREATE, one.identity, f"about {max(one.table.estimate, 0):,} rows")
            for one in scene.selected
        ),
        step(Verb.CREATE, "manifest", f"of {store.address}"),
    ]
    if parameters.dry_run:
        return
    record.changes = [f"{step.verb} {step.subject}" for step in report.steps]
    run.progress(f"reading {len(scene.selected)} tables of {scene.reader.instance}")
    exported = export_tables(store, _wanted(run, record, scene))
    report.kept = list(exported.kept)
    report.loaded_back = prove(run, record, store, exported.tables, parameters, scene.selected)
    record.check_lease()
    made = _manifest(run, parameters.variant, name, scene, exported)
    report.sha256 = put_manifest(store, made)
    _leave_proofs(run, store, made, report)
    tell(report, record, store, made)


def _leave_proofs(run: Run, store: Store, made: Export, report: ExportReport) -> None:
    """Write down which closed months of the access log were loaded back: they may go, one day."""
    for proof in proofs_of(
        made, store.address, report.sha256, report.loaded_back, datetime.now(UTC)
    ):
        run.progress(f"proven to be kept: {proof.subject}")
        add_proof(run.site, proof)


def _look(run: Run, variant: Variant, report: ExportReport) -> Scene:
    observed = home_instances(run)
    found = reader(run, observed, application=APPLICATION)
    tables, server = read_tables(found.login)
    left: dict[str, str] = {}
    if variant is Variant.FULL:
        selected = everything(tables, run.loaded.stack.export.as_text)
    else:
        selected, left = _let_out(run, tables, report)
    sorted_out = sort_out([one.table for one in selected])
    _refuse(sorted_out.refused)
    kept = tuple(one for one in selected if one.identity not in sorted_out.left)
    resource = writer(run, observed).outputs["resource_id"]
    return Scene(found, resource, server, kept, left | sorted_out.left)


def _let_out(
    run: Run, tables: list[Table], report: ExportReport
) -> tuple[list[Selected], dict[str, str]]:
    section = run.loaded.stack.export.deidentified
    silent = without_policy(tables, section.columns)
    report.warnings += [
        f"no policy says what may be done with {name}: it is out" for name in silent
    ]
    if section.hash_key:
        check_hash_key(run.site, section.hash_key)
    return select(tables, section.columns)


def _refuse(refused: dict[str, str]) -> None:
    if refused:
        named = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise Refused(
            f"These cannot be exported: {named}.",
            left="Nothing was exported.",
            cure="Grant SELECT to haven_reader, give the table a column, or drop it.",
        )


def _wanted(run: Run, record: Record, scene: Scene) -> Wanted:
    section = run.loaded.stack.export
    hashed = any(one.form is Form.HASH for each in scene.selected for one in each.fields)
    key = hash_key(run.site, section.deidentified.hash_key) if hashed else b""
    return Wanted(
        scene.reader.login,
        scene.selected,
        section.workers,
        round(section.piece_gib * GIB),
        key,
        record.check_lease,
    )


def _manifest(run: Run, variant: Variant, name: str, scene: Scene, exported: Exported) -> Export:
    policy = run.loaded.stack.export.deidentified.columns
    snapshot = exported.snapshot
    return Export(
        way=LOGICAL,
        variant=variant,
        stack=run.loaded.stack.prefix,
        name=name,
        instance=scene.reader.instance,
        resource_id=scene.resource_id,
        on_replica=snapshot.on_replica,
        server=scene.server,
        taken_at=snapshot.moment,
        snapshot=snapshot.text,
        lsn=snapshot.lsn,
        ledger=exported.ledger,
        tables=exported.tables,
        left=scene.left,
        policy=digest(policy) if variant is Variant.DEIDENTIFIED else "",
        tool_version=tool_version(),
    )
