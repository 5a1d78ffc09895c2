"""Which exports prove that a month of the access log may go."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from haven.export.columns import Hashed
from haven.export.manifest import Export, ExportedTable, Variant
from haven.retention.access_log import SCHEMA, month_of
from haven.retention.proof import Proof


def is_detached_month(table: ExportedTable) -> bool:
    """Tell a month that was taken out of the access log, and waits for its proof."""
    return table.schema_name == SCHEMA and month_of(table.name) is not None and not table.root


def proofs_of(
    made: Export, manifest: str, sha256: str, loaded: Collection[str], moment: datetime
) -> list[Proof]:
    """Return a proof for each detached month of an export that was loaded back and was equal.

    ``manifest`` is where the export's lies. Of a variant for others, there is none.
    """
    if made.variant is not Variant.FULL:
        return []
    return [
        Proof(
            form=made.fingerprint_form,
            subject=f"{one.schema_name}.{one.name}",
            count=one.rows,
            total=one.fingerprint,
            as_text=tuple(column.name for column in one.columns if column.hashed is Hashed.TEXT),
            manifest=manifest,
            manifest_sha256=sha256,
            read_back=moment,
        )
        for one in made.tables
        if is_detached_month(one) and one.identity in loaded and one.fingerprint is not None
    ]
