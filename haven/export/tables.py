"""Tables that are exported: which are, which cannot be, and in how many pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from haven.export import columns
from haven.export.columns import Field, Hashed
from haven.verification.fingerprint import Column, Relation, identity_of

UNLOGGED = "unlogged: a replica has nothing of it"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, materialized view or leaf partition with rows of its own.

    ``size`` is its bytes with TOAST and ``pages`` those of its main part, by the catalogue;
    ``estimate`` its rows by statistics, -1 if there are none; ``root`` the partitioned table that it
    is a part of.
    """

    schema: str
    name: str
    columns: tuple[columns.Column, ...]
    size: int = 0
    pages: int = 0
    estimate: int = -1
    readable: bool = True
    logged: bool = True
    root: str = ""

    @property
    def identity(self) -> str:
        """Its schema and name, quoted where SQL would; no two tables share one."""
        return identity_of(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Selected:
    """A table, and the fields of it that are exported."""

    table: Table
    fields: tuple[Field, ...]

    @property
    def identity(self) -> str:
        """The table's."""
        return self.table.identity

    @property
    def relation(self) -> Relation:
        """The same as fingerprints have it: its hashes are the same in any database."""
        columns = tuple(
            Column(one.name, one.hashed is Hashed.VALUE)
            for one in self.fields
            if one.hashed is not Hashed.NOT
        )
        return Relation(self.table.schema, self.table.name, columns, estimate=self.table.estimate)


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of pages of a table, ``first`` to ``until``; that one is no longer part of it.

    ``until`` is none for the last piece: pages may have been added since they were counted.
    """

    of: Selected
    number: int = 1
    first: int = 0
    until: int | None = None

    @property
    def whole(self) -> bool:
        """Tell whether it is all of its table."""
        return self.first == 0 and self.until is None

    @property
    def bytes(self) -> float:
        """About how much it is, with its part of what is stored out of line."""
        table = self.of.table
        if self.whole or not table.pages:
            return float(table.size)
        width = (self.until or max(table.pages, self.first + 1)) - self.first
        return table.size * width / table.pages


def pieces(of: Selected, most: int) -> list[Piece]:
    """Divide a table so that each piece is about ``most`` bytes; a small or empty one is one piece."""
    table = of.table
    count = min(max(1, -(-table.size // most)), max(1, table.pages))
    width = -(-table.pages // count) if count > 1 else 0
    starts = [number * width for number in range(count)] if width else [0]
    starts = [start for start in starts if start == 0 or start < table.pages]
    ends: list[int | None] = [*starts[1:], None]
    return [
        Piece(of, number, first, until)
        for number, (first, until) in enumerate(zip(starts, ends, strict=True), start=1)
    ]


def in_order(found: Iterable[Piece]) -> list[Piece]:
    """Order pieces so that the largest begin first, and workers end together."""
    return sorted(found, key=lambda one: (-one.bytes, one.of.identity, one.number))


@dataclass(frozen=True, slots=True)
class Sorted:
    """What is exported, what is passed over for good reason, and what must not be passed over."""

    tables: tuple[Table, ...]
    left: dict[str, str]
    refused: dict[str, str]


def sort_out(found: Sequence[Table]) -> Sorted:
    """Tell which tables are exported, and of the others why not."""
    left = {one.identity: UNLOGGED for one in found if not one.logged}
    refused = {
        one.identity: reason
        for one in found
        if one.identity not in left and (reason := _why_not(one))
    }
    kept = tuple(one for one in found if one.identity not in left | refused)
    return Sorted(kept, left, refused)


def _why_not(table: Table) -> str:
    if not table.readable:
        return "haven_reader may not read it"
    if not table.columns:
        return "it has no columns, and Parquet keeps no rows without"
    return ""
