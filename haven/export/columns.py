"""How each PostgreSQL type is kept in Parquet: as Arrow has it where that is exact, else as text.

Text is what the type's own output function writes, which its input function reads again. What the
driver hands over was looked at type by type; docs/explanation/exports.md has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How a column's values are kept."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    STRING = "string"
    BYTES = "bytes"
    UUID = "uuid"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    YEAR = "year"
    HASH = "hash"


class Hashed(StrEnum):
    """How a column's values go into the fingerprint of its table."""

    VALUE = "value"
    TEXT = "text"
    NOT = "not"


# What is no longer the value that the database has.
MADE = frozenset({Form.YEAR, Form.HASH})

# By name of a type in pg_catalog, domains resolved. The driver reads an oid as a signed number,
# flattens arrays, and hands over most other types as they are on the wire: those go as text, and so
# do a time of 24:00 and an interval, which readers of Arrow change.
NATIVE: Mapping[str, Form] = {
    "bool": Form.BOOLEAN,
    "int2": Form.INTEGER,
    "int4": Form.INTEGER,
    "int8": Form.INTEGER,
    "float4": Form.FLOAT,
    "float8": Form.FLOAT,
    "text": Form.STRING,
    "varchar": Form.STRING,
    "bpchar": Form.STRING,
    "name": Form.STRING,
    "json": Form.STRING,
    "jsonb": Form.STRING,
    "bytea": Form.BYTES,
    "uuid": Form.UUID,
    "date": Form.DATE,
    "timestamp": Form.TIMESTAMP,
    "timestamptz": Form.TIMESTAMP,
}
MOMENTS = frozenset({"date", "timestamp", "timestamptz"})
# Written as names, and hashed by numbers that are another database's own.
BY_NUMBER = frozenset(
    {
        "regclass",
        "regcollation",
        "regconfig",
        "regdictionary",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
        "aclitem",
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it.

    ``type`` is how SQL writes it; ``kind`` the name of its type in pg_catalog with domains resolved,
    empty for a type that is not PostgreSQL's own; ``own`` tells whether the type itself is
    PostgreSQL's own, so that any database has it; ``hashable`` whether PostgreSQL can hash it.
    """

    name: str
    type: str
    kind: str
    own: bool = True
    hashable: bool = True
    required: bool = False
    generated: bool = False

    @property
    def form(self) -> Form:
        """How its values are kept."""
        return NATIVE.get(self.kind, Form.TEXT)

    @property
    def loads_as(self) -> str:
        """The type of a column that it is loaded into, in a database without types of one's own.

        Of a domain it is the type under it, so that its values are written as the domain's are.
        """
        if self.kind.removeprefix("_") in BY_NUMBER:
            return "text"
        return self.type if self.own else (self.kind or "text")

    @property
    def hashes_as_text(self) -> bool:
        """Tell whether its fingerprint goes through text: where a hash is not the same everywhere.

        An enumerated value is hashed by a number that another database gives to another value.
        """
        return not (self.hashable and self.own) or self.loads_as == "text" != self.type


@dataclass(frozen=True, slots=True)
class Field:
    """A column of an export: where its values come from, and in which form they are kept."""

    column: Column
    form: Form

    @property
    def name(self) -> str:
        """Its name, which is the column's."""
        return self.column.name

    @property
    def hashed(self) -> Hashed:
        """How its values go into the fingerprint; what is made of a value does not."""
        if self.form in MADE:
            return Hashed.NOT
        return Hashed.TEXT if self.column.hashes_as_text else Hashed.VALUE
