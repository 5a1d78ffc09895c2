"""Whether a table that an earlier, unfinished run exported is still to be had as it is.

All tables of an export are of one snapshot. A finished table of an earlier attempt counts as read in
the new snapshot where it provably holds the same rows there: then its fingerprint is the same.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from haven.export.columns import Form, Hashed
from haven.export.manifest import ExportedColumn, ExportedTable
from haven.export.tables import Selected

# What is hashed to tell keys apart: no value of anybody.
MARKED = b"haven export"
MARK_LENGTH = 16


def columns_of(of: Selected) -> tuple[ExportedColumn, ...]:
    """Return a table's columns as manifests have them."""
    return tuple(
        ExportedColumn(
            name=one.name,
            type=one.column.type,
            form=one.form,
            loads_as=one.column.loads_as,
            required=one.column.required,
            generated=one.column.generated,
            hashed=one.hashed,
        )
        for one in of.fields
    )


def key_mark(of: Selected, key: bytes) -> str:
    """Return what tells the key of a table's hashes from other keys; empty where nothing is hashed."""
    if not any(one.form is Form.HASH for one in of.fields):
        return ""
    return hmac.digest(key, MARKED, "sha256").hex()[:MARK_LENGTH]


def why_not_kept(
    finished: ExportedTable, of: Selected | None, sizes: Mapping[str, int], key: bytes
) -> str:
    """Say why a finished table is exported again, before its rows are looked at; empty if not.

    ``sizes`` are the bytes of every object of the export, by key; ``key`` is that of hashes.
    """
    if of is None:
        return "it is no longer exported"
    if finished.columns != columns_of(of):
        return "its columns have changed"
    if finished.hash_key != key_mark(of, key):
        return "its hashes have another key"
    if any(sizes.get(one.key) != one.size for one in finished.objects):
        return "its objects are not what they were"
    if all(one.hashed is Hashed.NOT for one in of.fields):
        return "no column of it is as in the database, so nothing could prove it unchanged"
    return ""
