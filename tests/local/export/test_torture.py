"""Every type with the values at its edges: exported, loaded elsewhere, and the same there."""

from pathlib import Path

import pytest
from psycopg import sql

from haven.pg import session
from tasks import fingerprints
from tests.local.export.conftest import export, load

pytestmark = pytest.mark.local

TORTURE = (Path(__file__).parent / "torture.sql").read_text(encoding="utf-8")
TYPES = "".join(
    line
    for line in TORTURE.splitlines(keepends=True)
    if line.startswith(("CREATE TYPE", "CREATE DOMAIN", "CREATE EXT", "CREATE SCHEMA"))
)
EVERY = "every_type"


@pytest.fixture(scope="module")
def source(databases):
    with databases() as login:
        with session(login) as connection:
            connection.execute(TORTURE)
        yield login


@pytest.fixture(scope="module")
def exported(target, source):
    from tasks.export_store import Store  # noqa: PLC0415

    store = Store(target, "exports/torture/full/")
    return store, export(store, source, piece=100_000)


def texts(login, schema, name):
    """Return every row of a table as text, column by column."""
    with session(login) as connection:
        fingerprints.begin(connection)
        relation = sql.Identifier(schema, name)
        cursor = connection.execute(sql.SQL("SELECT * FROM ONLY {} LIMIT 0").format(relation))
        columns = [
            sql.SQL("{}::text").format(sql.Identifier(one.name)) for one in cursor.description or ()
        ]
        rows = connection.execute(
            sql.SQL("SELECT {} FROM ONLY {}").format(sql.SQL(", ").join(columns), relation)
        ).fetchall()
    return sorted(rows, key=repr)


def test_there_are_columns_of_every_type(exported):
    _, found = exported
    every = next(one for one in found.tables if one.name == EVERY)
    assert len(every.columns) >= 60
    assert every.rows == 6


@pytest.mark.parametrize("types", [True, False], ids=["with its types", "in an empty database"])
def test_everything_is_the_same_where_it_is_loaded(exported, source, databases, types):
    store, found = exported
    with databases() as login:
        if types:
            with session(login) as connection:
                connection.execute(TYPES)
        loaded = load(store, login, found.tables)
        for one in found.tables:
            assert texts(login, one.schema_name, one.name) == texts(
                source, one.schema_name, one.name
            )
        assert [one.identity for one in loaded if not one.equal] == []
        assert any(one.without_type for one in loaded) != types
