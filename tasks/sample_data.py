"""Loading a sample set as haven_loader, which the migrator assumes explicitly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from psycopg import sql

from haven.errors import InvalidRequest
from haven.identifiers import identifier
from haven.pg import Connection, Login, session
from haven.sample_data import Table, first_patient, generate, marked_until
from haven.sample_data.care import LOG_DAYS
from haven.sql import QUERIES
from tasks.kinds import changes

MOST_PATIENTS = 1_000_000
OWNER = "haven_owner"
LOADER = "haven_loader"


@changes
def load_sample_data(login: Login, *, patients: int, seed: int) -> dict[str, int]:
    """Load the set of a seed and return how many rows were new, by table.

    A set that is there already is generated up to the same time again, so nothing is doubled;
    with more patients than before, only the further ones are added.
    """
    _check(patients, seed)
    with session(replace(login, answer_limit=None)) as connection:
        until = _until(connection, seed)
        tables = generate(patients, seed, until)
        if _complete(connection, tables[0]):
            return {table.name: 0 for table in tables if table.rows}
        _make_partitions(connection, until)
        _become(connection, LOADER)
        with connection.transaction():
            loaded = {table.name: _load(connection, table) for table in tables if table.rows}
        if any(loaded.values()):
            _become(connection, OWNER)
            for table in tables:
                _run(connection, "sample_data_analyze", table)
    return loaded


def _check(patients: int, seed: int) -> None:
    if not 1 <= patients <= MOST_PATIENTS:
        raise InvalidRequest(
            f"patients is {patients}; it must be from 1 to {MOST_PATIENTS:,}.",
            left="Nothing was touched.",
        )
    if seed < 0:
        raise InvalidRequest(
            f"seed is {seed}; it must not be negative.", left="Nothing was touched."
        )


def _until(connection: Connection, seed: int) -> datetime:
    _become(connection, LOADER)
    found = connection.execute(
        QUERIES["sample_data_mark"], {"first": first_patient(seed)}
    ).fetchone()
    if found:
        return marked_until(found[0])
    return datetime.now(UTC).replace(microsecond=0)


def _complete(connection: Connection, patients: Table) -> bool:
    """Tell whether every patient is there; what belongs to a patient came in one transaction."""
    keys = [row["id"] for row in patients.rows]
    found = connection.execute(QUERIES["sample_data_present"], {"keys": keys}).fetchone()
    return found == (len(keys),)


def _make_partitions(connection: Connection, until: datetime) -> None:
    first, now = until - timedelta(days=LOG_DAYS), datetime.now(UTC)
    months = (now.year - first.year) * 12 + now.month - first.month
    _become(connection, OWNER)
    connection.execute(QUERIES["sample_data_partitions"], {"months_back": months})


def _become(connection: Connection, role: str) -> None:
    connection.execute(sql.SQL("SET ROLE {}").format(identifier(role)))


def _load(connection: Connection, table: Table) -> int:
    _run(connection, "sample_data_stage", table)
    with (
        connection.cursor() as cursor,
        cursor.copy(_composed("sample_data_copy", table)) as copy,
    ):
        for row in table.rows:
            copy.write_row(tuple(row.values()))
    return _run(connection, "sample_data_insert", table)


def _run(connection: Connection, query: str, table: Table) -> int:
    return connection.execute(_composed(query, table)).rowcount


def _composed(query: str, table: Table) -> sql.Composed:
    return sql.SQL(QUERIES[query]).format(
        stage=identifier(f"sample_{table.name}"),
        table=identifier(table.schema, table.name),
        columns=sql.SQL(", ").join(identifier(column) for column in table.columns),
    )
