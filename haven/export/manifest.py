"""The manifest of an export: what it holds and how it is proven. Without one there is no export.

docs/reference/export-manifest.md says what each entry means to who reads an old one.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from haven.export.columns import Form, Hashed
from haven.verification.fingerprint import FORM as FINGERPRINT_FORM
from haven.verification.fingerprint import Column, Relation, Sum

# Raise it when what is written could not be read by what read it before.
FORMAT = 1
LOGICAL = "logical"


class Variant(StrEnum):
    """What an export is for."""

    FULL = "full"
    DEIDENTIFIED = "deidentified"


class Part(BaseModel):
    """A part of a manifest, or the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Stored(Part):
    """A Parquet object: its key, bytes, the SHA-256 of them, its rows, and S3's own checksum.

    ``checksum`` is what S3 computed over the checksums of the parts that it took.
    """

    key: str
    size: int
    sha256: str
    rows: int
    checksum: str


class ExportedColumn(Part):
    """A column: its type in the database, how its values are kept, and what it is loaded as.

    ``hashed`` says how its values went into the fingerprint: as they are, as text, or not at all.
    """

    name: str
    type: str
    form: Form
    loads_as: str
    required: bool = False
    generated: bool = False
    hashed: Hashed = Hashed.VALUE

    @property
    def wanted_type(self) -> str:
        """The type that it is to be loaded into where a database has it.

        Types of one's own are written with their schema; a database may have them or not.
        """
        return self.type if "." in self.type else self.loads_as


class ExportedTable(Part):
    """A table: its columns, rows, fingerprint and objects, and the snapshot it was read in.

    There is no fingerprint of what RDS exported. ``hash_key`` tells keys of hashes apart: where it is
    the same, so are the hashes of the same value.
    """

    schema_name: str
    name: str
    identity: str
    root: str = ""
    columns: tuple[ExportedColumn, ...]
    rows: int
    fingerprint: int | None
    objects: tuple[Stored, ...]
    snapshot: str
    hash_key: str = ""

    @property
    def bytes(self) -> int:
        """How much it is in S3."""
        return sum(one.size for one in self.objects)

    @property
    def sum(self) -> Sum:
        """Its fingerprint as verifications have it."""
        return Sum(self.rows, self.fingerprint or 0)

    @property
    def relation(self) -> Relation:
        """The relation whose fingerprint it is."""
        columns = tuple(
            Column(one.name, one.hashed is Hashed.VALUE)
            for one in self.columns
            if one.hashed is not Hashed.NOT
        )
        return Relation(self.schema_name, self.name, columns, root=self.root)


class Export(Part):
    """All that an export holds, read in one snapshot at ``taken_at`` by the server's clock.

    ``ledger`` is the schema version: number, name, checksum and chained checksum of each migration.
    ``left`` names what is not in it, with the reason of each. ``policy`` is the SHA-256 of the
    column policy of a de-identified export.
    """

    format: int = FORMAT
    fingerprint_form: int = FINGERPRINT_FORM
    way: str
    variant: Variant
    stack: str
    name: str
    instance: str
    resource_id: str
    on_replica: bool
    server: str
    taken_at: datetime
    snapshot: str
    lsn: str
    ledger: tuple[tuple[int, str, str, str], ...]
    tables: tuple[ExportedTable, ...]
    left: dict[str, str] = Field(default_factory=dict)
    policy: str = ""
    tool_version: str

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return sum(one.rows for one in self.tables)

    @property
    def bytes(self) -> int:
        """How much it is in S3."""
        return sum(one.bytes for one in self.tables)


def body_of(part: Part) -> bytes:
    """Return the bytes of a manifest, or of the record of a table."""
    return part.model_dump_json(indent=1).encode()


def read(body: bytes) -> Export:
    """Read a manifest. Raises ``ValueError`` for what is none."""
    return Export.model_validate_json(body)


def sha256(body: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
