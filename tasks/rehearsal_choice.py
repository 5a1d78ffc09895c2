"""Choosing rows for a rehearsal: a bounded sample of each table, and what its rows refer to.

A row is named by its place, which stays the same for as long as the snapshot is held; so no value
of a row is looked at here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from haven.identifiers import identifier
from haven.migrations.impact.references import AddedReference
from haven.pg import Connection
from haven.sql import QUERIES

Name = tuple[str, str]
Place = tuple[int, str]
Places = dict[Name, set[Place]]
ROWS = 10_000
BYTES = 32 * 2**20
# Pages are chosen by chance, so some more than it takes: three times the spread of it, if there are
# this many rows on a page.
ROWS_PER_PAGE = 100
SPREADS = 3
WHOLE = 100.0
# How many times as many rows a table may have with those that others refer to, and how far a
# chain of rows is followed.
TIMES = 4
DEPTH = 50


@dataclass(frozen=True, slots=True)
class Table:
    """A table as one of the servers has it; ``rows`` is an estimate, negative where none is."""

    name: Name
    columns: tuple[str, ...]
    rows: int
    forced: bool
    readable: bool
    owned: bool
    partitioned: bool

    @property
    def quoted(self) -> sql.Identifier:
        """The name as SQL."""
        return identifier(*self.name)

    @property
    def scanned(self) -> sql.Composed:
        """The name as SQL where its own rows are read: those of partitions are, of heirs are not."""
        only = sql.SQL("") if self.partitioned else sql.SQL("ONLY ")
        return only + self.quoted

    @property
    def dotted(self) -> str:
        """The name as people write it."""
        return ".".join(self.name)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key, or one that is to be; ``valid`` when every row is known to hold to it."""

    child: Name
    parent: Name
    columns: tuple[str, ...]
    referred: tuple[str, ...]
    valid: bool

    def joined(self) -> sql.Composed:
        """Write the condition by which a row ``c`` refers to a row ``p``."""
        pairs = zip(self.columns, self.referred, strict=True)
        return sql.SQL(" AND ").join(
            sql.SQL(QUERIES["rehearsal_joined"]).format(
                column=identifier(column), referred=identifier(referred)
            )
            for column, referred in pairs
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is copied of a table: rows, and bytes as stored.

    What the rows of others refer to comes besides, up to ``TIMES`` as many rows.
    """

    rows: int = ROWS
    bytes: int = BYTES


def read_tables(connection: Connection) -> list[Table]:
    """Return the tables that have rows of their own."""
    rows = connection.execute(QUERIES["rehearsal_tables"]).fetchall()
    return [
        Table((schema, name), tuple(columns or ()), *rest) for schema, name, columns, *rest in rows
    ]


def read_references(connection: Connection) -> list[Reference]:
    """Return the foreign keys between tables; those of partitions as their parent's."""
    rows = connection.execute(QUERIES["rehearsal_references"]).fetchall()
    return [
        Reference((a, b), (c, d), tuple(own), tuple(referred), valid)
        for a, b, c, d, own, referred, valid in rows
    ]


def find_references(connection: Connection, added: Sequence[AddedReference]) -> Iterator[Reference]:
    """Yield the references that pending files add between tables that are there."""
    for item in added:
        child, parent = (_named(connection, key) for key in (item.child, item.parent))
        if child is None or parent is None:
            continue
        referred = item.referred or parent[1]
        if len(referred) == len(item.columns):
            yield Reference(child[0], parent[0], item.columns, referred, valid=False)


def _named(connection: Connection, key: Name) -> tuple[Name, tuple[str, ...]] | None:
    given = dict(zip(("schema", "name"), key, strict=True))
    row = connection.execute(QUERIES["rehearsal_key"], given).fetchone()
    return None if row is None else ((row[0], row[1]), tuple(row[2] or ()))


def choose(
    reader: Connection,
    tables: Mapping[Name, Table],
    references: Sequence[Reference],
    limits: Limits,
) -> Places:
    """Choose rows of each table, then add what they refer to, as far as the limits allow."""
    chosen = {name: _sampled(reader, table, limits) for name, table in tables.items()}
    fresh = chosen
    for _ in range(DEPTH):
        fresh = _referred(reader, tables, references, fresh)
        for name, places in fresh.items():
            room = max(TIMES * limits.rows - len(chosen[name]), 0)
            fresh[name] = set(sorted(places - chosen[name])[:room])
            chosen[name] = chosen[name] | fresh[name]
        if not any(fresh.values()):
            break
    return chosen


def _referred(
    reader: Connection,
    tables: Mapping[Name, Table],
    references: Sequence[Reference],
    fresh: Places,
) -> Places:
    """Return the places of the rows that some rows refer to."""
    found: Places = {}
    for reference in references:
        places = fresh.get(reference.child)
        if places and reference.parent in tables:
            found.setdefault(reference.parent, set()).update(
                _parents(reader, tables, reference, places)
            )
    return found


def _sampled(reader: Connection, table: Table, limits: Limits) -> set[Place]:
    widths = [
        sql.SQL(QUERIES["rehearsal_width"]).format(column=identifier(column))
        for column in table.columns
    ]
    query = sql.SQL(QUERIES["rehearsal_sample"]).format(
        table=table.scanned,
        width=sql.SQL(" + ").join(widths),
        percent=sql.Literal(percent_of(table.rows, limits.rows)),
        rows=sql.Literal(limits.rows),
        bytes=sql.Literal(limits.bytes),
    )
    return set(reader.execute(query).fetchall())


def percent_of(rows: int, wanted: int) -> float:
    """Return which part of a table's pages holds about ``wanted`` rows; all where none counted."""
    more = SPREADS * math.sqrt(wanted * ROWS_PER_PAGE)
    return WHOLE if rows <= wanted else min(WHOLE, WHOLE * (wanted + more) / rows)


def _parents(
    reader: Connection, tables: Mapping[Name, Table], reference: Reference, places: set[Place]
) -> set[Place]:
    query = sql.SQL(QUERIES["rehearsal_parents"]).format(
        child=tables[reference.child].scanned,
        parent=tables[reference.parent].scanned,
        joined=reference.joined(),
        **arrays(sorted(places)),
    )
    return set(reader.execute(query).fetchall())


def arrays(places: Sequence[Place]) -> dict[str, sql.Literal]:
    """Return places as two arrays, of parts and of places in them."""
    return {
        "parts": sql.Literal([part for part, _ in places]),
        "places": sql.Literal([place for _, place in places]),
    }
