"""What an export says of itself: in its report, and in its evidence."""

from __future__ import annotations

from flows.export_models import ExportReport
from flows.frame import Record
from flows.models import PlannedStep
from haven.export import keys
from haven.export.manifest import Export
from haven.plan import Verb
from tasks.export_store import Store


def step(verb: Verb, subject: str, because: str) -> PlannedStep:
    """Return a step as reports show it."""
    return PlannedStep(verb=verb, subject=subject, because=because, changes=[], hazards=[])


def tell(report: ExportReport, record: Record, store: Store, made: Export) -> None:
    """Tell of an export that has its manifest."""
    report.manifest = f"{store.address}{keys.MANIFEST}"
    report.tables, report.rows, report.bytes = len(made.tables), made.rows, made.bytes
    report.left = made.left
    report.details.append(
        f"{report.tables} tables, {report.rows:,} rows, {report.bytes:,} bytes: {report.manifest}"
    )
    record.figures = {"tables": report.tables, "rows": report.rows, "bytes": report.bytes}
    record.facts = {
        "manifest": report.manifest,
        "sha256": report.sha256,
        "snapshot": made.snapshot,
        "lsn": made.lsn,
        "kept": report.kept,
        "loaded back": report.loaded_back,
    }
