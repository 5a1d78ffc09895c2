"""Proving an export before it counts: what S3 holds, and a sample of it loaded and compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flows.export_models import ExportParameters
from flows.frame import Record, Run
from flows.scratch_instance import scratch_instance
from haven.errors import Failed
from haven.export.manifest import ExportedTable
from haven.export.proof import GIB, ReadBack, chosen, room
from haven.export.tables import Selected
from haven.retention.exported import is_detached_month
from tasks.export_load import load_table
from tasks.export_objects import check_objects
from tasks.export_store import Store, clear

APPLICATION = "haven export proof"


def prove(
    run: Run,
    record: Record,
    store: Store,
    tables: Sequence[ExportedTable],
    parameters: ExportParameters,
    selected: Sequence[Selected],
) -> list[str]:
    """Return the tables that were loaded back and are equal. Raises ``Failed`` naming the others.

    What is not as it should be is removed, so that the next run makes it anew.
    """
    run.progress("holding what S3 has against what was written")
    record.check_lease()
    wrong = check_objects(store.target, tables)
    if wrong:
        _refuse(store, tables, wrong)
    sizes = {one.identity: one.table.size for one in selected}
    names = sorted(sizes)
    if parameters.read_back is ReadBack.SAMPLE:
        seed = parameters.seed or datetime.now(UTC).toordinal()
        names = chosen(sizes, round(run.loaded.stack.export.proof_gib * GIB), seed)
        # What waits for its proof is not left to chance.
        names = sorted({*names, *(one.identity for one in tables if is_detached_month(one))})
    return _load_back(
        run,
        record,
        store,
        [one for one in tables if one.identity in names],
        room(sizes, names),
        tables,
    )


def _load_back(
    run: Run,
    record: Record,
    store: Store,
    sample: Sequence[ExportedTable],
    gib: int,
    tables: Sequence[ExportedTable],
) -> list[str]:
    wrong: dict[str, str] = {}
    with scratch_instance(run, record, application=APPLICATION, gib=gib) as login:
        for one in sample:
            run.progress(f"loading {one.identity} back")
            record.check_lease()
            loaded = load_table(store.target, login, one)
            if not loaded.equal:
                wrong[one.identity] = (
                    f"has {loaded.found.count:,} rows with another fingerprint once it is loaded"
                )
    if wrong:
        _refuse(store, tables, wrong)
    return [one.identity for one in sample]


def _refuse(store: Store, tables: Sequence[ExportedTable], wrong: dict[str, str]) -> None:
    clear(store, [one for one in tables if one.identity not in wrong])
    named = "; ".join(f"{name} {reason}" for name, reason in wrong.items())
    raise Failed(
        f"The export does not hold what the database holds: {named}.",
        left="It has no manifest, so it does not count; what is wrong was removed.",
        cure="Run the same command again. If it fails again, report it with this message.",
    )
