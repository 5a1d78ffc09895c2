"""Rows for a rehearsal: a bounded sample of each table, with all that its rows refer to.

One snapshot of the source is read, as ``haven_reader``, who sees every organization's rows. A
row is named by its place, which stays the same for as long as the snapshot is held; so rows go
from server to server as they are, and no value of them is looked at on the way, or logged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from haven.identifiers import identifier
from haven.migrations.rehearsal import CopiedTable
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from tasks.kinds import looks

Name = tuple[str, str]
Place = tuple[int, str]
ROWS = 10_000
BYTES = 32 * 2**20
# Pages are chosen by chance, so a few more than it takes.
SPARE = 1.2
WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Table:
    """A table as one of the servers has it; ``rows`` is an estimate, negative where none is."""

    name: Name
    columns: tuple[str, ...]
    rows: int
    forced: bool
    readable: bool
    owned: bool

    @property
    def quoted(self) -> sql.Identifier:
        """The name as SQL."""
        return identifier(*self.name)

    @property
    def dotted(self) -> str:
        """The name as people write it."""
        return ".".join(self.name)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key."""

    child: Name
    parent: Name
    columns: tuple[str, ...]
    referred: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is copied of a table, before what its rows refer to: rows, and bytes as stored."""

    rows: int = ROWS
    bytes: int = BYTES


@dataclass(slots=True)
class Sample:
    """What was copied, and what was left out."""

    tables: list[CopiedTable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@looks
def copy_sample(source: Login, scratch: Login, limits: Limits) -> Sample:
    """Copy a sample of every table that both sides have; ``scratch`` is the master's login there.

    What is there already stays, so that it may be run again.
    """
    sample = Sample()
    with (
        session(replace(source, application="haven rehearsal"), autocommit=False) as reader,
        session(replace(scratch, answer_limit=None)) as writer,
    ):
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.read_only = True
        for connection in (reader, writer):
            connection.execute(QUERIES["rehearsal_text"])
        writer.execute(QUERIES["rehearsal_join_owner"])
        writer.execute(QUERIES["rehearsal_as_owner"])
        _make_partitions(reader, writer, sample)
        there = {table.name: table for table in _tables(reader)}
        tables = dict(_both(there, _tables(writer), sample))
        places = _choose(reader, tables, _references(writer), limits)
        for name, table in tables.items():
            rows = _copy(reader, writer, table, sorted(places[name]))
            sample.tables.append(_copied(table, rows, sample))
        _set_sequences(writer)
    return sample


def _tables(connection: Connection) -> list[Table]:
    rows = connection.execute(QUERIES["rehearsal_tables"]).fetchall()
    return [
        Table((schema, name), tuple(columns or ()), *rest) for schema, name, columns, *rest in rows
    ]


def _references(connection: Connection) -> list[Reference]:
    rows = connection.execute(QUERIES["rehearsal_references"]).fetchall()
    return [
        Reference((a, b), (c, d), tuple(own), tuple(referred)) for a, b, c, d, own, referred in rows
    ]


def _both(
    there: Mapping[Name, Table], made: Sequence[Table], sample: Sample
) -> Iterator[tuple[Name, Table]]:
    """Yield the tables that can be copied, with the columns that both sides have; note the others."""
    names = {table.name for table in made}
    for table in there.values():
        if table.name not in names:
            sample.notes.append(f"{table.dotted} is in no migration file, so it is left out")
    for table in made:
        found = there.get(table.name)
        if found is None or not table.columns:
            continue
        if not found.readable or not table.owned:
            sample.notes.append(f"{table.dotted} is empty: haven_reader may not read it")
            continue
        columns = tuple(column for column in table.columns if column in found.columns)
        if set(columns) != set(found.columns):
            sample.notes.append(f"{table.dotted} has other columns than its migration files say")
        yield table.name, replace(found, columns=columns, forced=table.forced)


def _make_partitions(reader: Connection, writer: Connection, sample: Sample) -> None:
    """Make the partitions that no file makes, such as those of the months since."""
    for name, statement in reader.execute(QUERIES["rehearsal_partitions"]).fetchall():
        row = writer.execute("SELECT to_regclass(%s)", (name,)).fetchone()
        if row and row[0]:
            continue
        try:
            writer.execute(statement.encode())
        except psycopg.Error as error:
            sample.notes.append(f"the partition {name} could not be made ({error.sqlstate})")


def _choose(
    reader: Connection,
    tables: Mapping[Name, Table],
    references: Sequence[Reference],
    limits: Limits,
) -> dict[Name, set[Place]]:
    """Choose rows of each table, then add what they refer to until nothing is missing."""
    chosen = {name: _sampled(reader, table, limits) for name, table in tables.items()}
    todo = [(name, places) for name, places in chosen.items() if places]
    while todo:
        name, places = todo.pop()
        for reference in references:
            if reference.child == name and reference.parent in chosen:
                more = _parents(reader, reference, places) - chosen[reference.parent]
                chosen[reference.parent] |= more
                todo += [(reference.parent, more)] if more else []
    return chosen


def _sampled(reader: Connection, table: Table, limits: Limits) -> set[Place]:
    widths = [
        sql.SQL(QUERIES["rehearsal_width"]).format(column=identifier(column))
        for column in table.columns
    ]
    query = sql.SQL(QUERIES["rehearsal_sample"]).format(
        table=table.quoted,
        width=sql.SQL(" + ").join(widths),
        percent=sql.Literal(percent_of(table.rows, limits.rows)),
        rows=sql.Literal(limits.rows),
        bytes=sql.Literal(limits.bytes),
    )
    return set(reader.execute(query).fetchall())


def percent_of(rows: int, wanted: int) -> float:
    """Return which part of a table's pages holds about ``wanted`` rows; all where none counted."""
    return WHOLE if rows <= wanted else min(WHOLE, WHOLE * SPARE * wanted / rows)


def _parents(reader: Connection, reference: Reference, places: set[Place]) -> set[Place]:
    pairs = zip(reference.columns, reference.referred, strict=True)
    query = sql.SQL(QUERIES["rehearsal_parents"]).format(
        child=identifier(*reference.child),
        parent=identifier(*reference.parent),
        joined=sql.SQL(" AND ").join(
            sql.SQL(QUERIES["rehearsal_joined"]).format(
                column=identifier(column), referred=identifier(referred)
            )
            for column, referred in pairs
        ),
    )
    return set(reader.execute(query, _arrays(sorted(places))).fetchall())


def _arrays(places: Sequence[Place]) -> dict[str, list[int] | list[str]]:
    return {"parts": [part for part, _ in places], "places": [place for _, place in places]}


def _copy(reader: Connection, writer: Connection, table: Table, places: Sequence[Place]) -> int:
    """Copy the rows at some places of a table; return how many were new."""
    columns = sql.SQL(", ").join(identifier(column) for column in table.columns)
    names = {"table": table.quoted, "columns": columns}
    arrays = {name: sql.Literal(values) for name, values in _arrays(places).items()}
    out = sql.SQL(QUERIES["rehearsal_copy_out"]).format(**names, **arrays)
    with _unforced(writer, table):
        writer.execute(sql.SQL(QUERIES["rehearsal_stage"]).format(**names))
        with (
            reader.cursor().copy(out) as read,
            writer.cursor().copy(QUERIES["rehearsal_copy_in"]) as write,
        ):
            for block in read:
                write.write(block)
        loaded = writer.execute(sql.SQL(QUERIES["rehearsal_insert"]).format(**names)).rowcount
        writer.execute(QUERIES["rehearsal_unstage"])
    writer.execute(sql.SQL(QUERIES["rehearsal_analyze"]).format(table=table.quoted))
    return loaded


@contextlib.contextmanager
def _unforced(writer: Connection, table: Table) -> Iterator[None]:
    """Let the owner write past the policies of a table for a block."""
    if not table.forced:
        yield
        return
    writer.execute(sql.SQL(QUERIES["rehearsal_unforce"]).format(table=table.quoted))
    yield
    writer.execute(sql.SQL(QUERIES["rehearsal_force"]).format(table=table.quoted))


def _copied(table: Table, rows: int, sample: Sample) -> CopiedTable:
    if not rows and table.rows > 0:
        sample.notes.append(f"{table.dotted} is empty: haven_reader sees none of its rows")
    return CopiedTable(table.dotted, rows, table.rows if table.rows >= 0 else None)


def _set_sequences(writer: Connection) -> None:
    for (statement,) in writer.execute(QUERIES["rehearsal_sequences"]).fetchall():
        writer.execute(statement.encode())
