"""Rows for a rehearsal, copied from the database to its clone.

One snapshot of the source is read, as ``haven_reader``, who sees every organization's rows. Rows
go from server to server as they are; no value of them is looked at on the way, logged or told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from haven.identifiers import identifier
from haven.migrations.rehearsal import CopiedTable
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from tasks.kinds import looks
from tasks.rehearsal_choice import (
    Limits,
    Name,
    Place,
    Reference,
    Table,
    arrays,
    choose,
    read_references,
    read_tables,
)


@dataclass(slots=True)
class Sample:
    """What was copied, and what was left out."""

    tables: list[CopiedTable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@looks
def copy_sample(
    source: Login, scratch: Login, limits: Limits, further: Sequence[Reference] = ()
) -> Sample:
    """Copy a sample of every table that both sides have, in one transaction on each.

    ``scratch`` is the master's login there; ``further`` are references that pending files add. What
    is there already makes way.
    """
    sample = Sample()
    with (
        session(replace(source, application="haven rehearsal"), autocommit=False) as reader,
        session(replace(scratch, answer_limit=None), autocommit=False) as writer,
    ):
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.read_only = True
        _copy_sample(reader, writer, limits, further, sample)
        writer.commit()
    return sample


def _copy_sample(
    reader: Connection,
    writer: Connection,
    limits: Limits,
    further: Sequence[Reference],
    sample: Sample,
) -> None:
    for connection in (reader, writer):
        connection.execute(QUERIES["rehearsal_text"])
    writer.execute(QUERIES["rehearsal_join_owner"])
    writer.execute(QUERIES["rehearsal_as_owner"])
    _make_partitions(reader, writer, sample)
    there = {table.name: table for table in read_tables(reader)}
    tables = dict(_both(there, read_tables(writer), sample))
    references = _usable([*read_references(writer), *further], tables)
    places = choose(reader, tables, references, limits)
    awake = writer.execute(QUERIES["rehearsal_triggers"]).fetchall()
    _run(writer, [off for off, _ in awake])
    for table in tables.values():
        _force(writer, table, "rehearsal_unforce")
    rows = {name: _copy(reader, writer, tables[name], sorted(places[name])) for name in tables}
    _prune(writer, references, rows, sample)
    _run(writer, [text for *_, text in writer.execute(QUERIES["rehearsal_sequences"]).fetchall()])
    for name, table in tables.items():
        _force(writer, table, "rehearsal_force")
        writer.execute(sql.SQL(QUERIES["rehearsal_analyze"]).format(table=table.quoted))
        sample.tables.append(_copied(table, rows[name], sample))
    _run(writer, [on for _, on in awake])


def _run(writer: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        writer.execute(statement.encode())


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
        if found is None:
            continue
        if not found.readable or not table.owned:
            sample.notes.append(f"{table.dotted} is empty: haven_reader may not read it")
            continue
        columns = tuple(column for column in table.columns if column in found.columns)
        if columns:
            yield table.name, replace(found, columns=columns, forced=table.forced)


def _usable(references: Sequence[Reference], tables: Mapping[Name, Table]) -> list[Reference]:
    """Return the references whose columns can be copied on both sides."""
    columns = {name: set(table.columns) for name, table in tables.items()}
    return [
        item
        for item in references
        if set(item.columns) <= columns.get(item.child, set())
        and set(item.referred) <= columns.get(item.parent, set(item.referred))
    ]


def _make_partitions(reader: Connection, writer: Connection, sample: Sample) -> None:
    """Make the partitions that no file makes, such as those of the months since."""
    for name, statements in reader.execute(QUERIES["rehearsal_partitions"]).fetchall():
        row = writer.execute("SELECT to_regclass(%s)", (name,)).fetchone()
        if row and row[0]:
            continue
        guards = reader.execute(QUERIES["rehearsal_guards"], {"name": name}).fetchall()
        try:
            with writer.transaction():
                _run(writer, [text for text in statements if text])
                _run(writer, [text for (text,) in guards])
        except psycopg.errors.UndefinedTable:
            sample.notes.append(f"{name} is a partition of what is in no migration file")


def _force(writer: Connection, table: Table, query: str) -> None:
    """While rows are loaded, policies must not bind the owner."""
    if table.forced:
        writer.execute(sql.SQL(QUERIES[query]).format(table=table.quoted))


def _copy(reader: Connection, writer: Connection, table: Table, places: Sequence[Place]) -> int:
    """Copy the rows at some places of a table, in place of those that its files made."""
    if not places:
        return 0
    columns = sql.SQL(", ").join(identifier(column) for column in table.columns)
    names = {"table": table.quoted, "columns": columns}
    out = sql.SQL(QUERIES["rehearsal_copy_out"]).format(
        table=table.scanned, columns=columns, **arrays(places)
    )
    writer.execute(sql.SQL(QUERIES["rehearsal_clear"]).format(table=table.scanned))
    writer.execute(sql.SQL(QUERIES["rehearsal_stage"]).format(**names))
    with (
        reader.cursor().copy(out) as read,
        writer.cursor().copy(QUERIES["rehearsal_copy_in"]) as write,
    ):
        for block in read:
            write.write(block)
    loaded = writer.execute(sql.SQL(QUERIES["rehearsal_insert"]).format(**names)).rowcount
    writer.execute(QUERIES["rehearsal_unstage"])
    return loaded


def _prune(
    writer: Connection, references: Sequence[Reference], rows: dict[Name, int], sample: Sample
) -> None:
    """Take out rows that refer to others beyond the limits, until every foreign key holds."""
    out: dict[Name, int] = {}
    binding = [item for item in references if item.valid and item.child in rows]
    gone = True
    while gone:
        gone = False
        for reference in binding:
            count = writer.execute(_dangling(reference)).rowcount
            if count:
                gone = True
                out[reference.child] = out.get(reference.child, 0) + count
    for name, count in sorted(out.items()):
        rows[name] -= count
        sample.notes.append(
            f"{'.'.join(name)}: {count:,} rows are left out, since they refer to more rows than "
            "are copied"
        )


def _dangling(reference: Reference) -> sql.Composed:
    whole = sql.SQL(" AND ").join(
        sql.SQL(QUERIES["rehearsal_filled"]).format(column=identifier(column))
        for column in reference.columns
    )
    return sql.SQL(QUERIES["rehearsal_prune"]).format(
        child=identifier(*reference.child),
        parent=identifier(*reference.parent),
        joined=reference.joined(),
        whole=whole,
    )


def _copied(table: Table, rows: int, sample: Sample) -> CopiedTable:
    if not rows and table.rows > 0:
        sample.notes.append(f"{table.dotted} is empty: haven_reader sees none of its rows")
    return CopiedTable(table.dotted, rows, table.rows if table.rows >= 0 else None)
