"""Hostile names against a real server: exactly the object named, or a refusal before any SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from haven.errors import InvalidRequest
from haven.identifiers import identifier
from haven.pg import Connection, session
from haven.sample_data import Table
from haven.sql import QUERIES
from haven.stack.database import NONE, DatabaseChange
from tasks.bootstrap import apply_database, observe_database, set_password
from tasks.sample_data import _become, _load, _run
from tests.local.conftest import MASTER, Database
from tests.local.names.hostile import fits, hostile_names

pytestmark = pytest.mark.local

NAMES = hostile_names()
SECRET = "never-in-clear-text"  # noqa: S105  # of nobody
# PostgreSQL keeps these for itself (CREATE ROLE), in whatever way they are quoted.
KEPT = ("pg_", "none", "public")
TAKEN = (
    psycopg.errors.ReservedName,
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateSchema,
)

TABLES = """
SELECT n.nspname, c.relname, c.relkind::text FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'i')
"""
ROLES = "SELECT rolname FROM pg_roles"


@pytest.fixture(scope="module")
def master(bootstrapped: Database) -> Iterator[Connection]:
    with session(bootstrapped.login(MASTER)) as connection:
        connection.execute("CREATE TABLE public.canary (alive boolean)")
        connection.execute("SET client_min_messages = error")
        yield connection
        connection.execute("DROP TABLE public.canary")


@contextlib.contextmanager
def undone(connection: Connection) -> Iterator[None]:
    """Run a block in a transaction that never happened; the canary outlives it."""
    with connection.transaction(force_rollback=True):
        yield
        assert connection.execute("SELECT count(*) FROM public.canary").fetchone() == (0,)


def seen(connection: Connection, query: LiteralString) -> set[tuple[object, ...]]:
    return set(connection.execute(query).fetchall())


def test_there_are_a_thousand_names_and_both_sorts_of_them():
    assert len(set(NAMES)) >= 1000
    refused = [name for name in NAMES if not fits(name)]
    assert len(refused) >= 100
    assert len(NAMES) - len(refused) >= 800


def test_tables_columns_and_indexes_are_exactly_what_was_named(master):
    before = seen(master, TABLES)
    for name in NAMES:
        if not fits(name):
            refused_before_any_sql(master, name)
            continue
        with undone(master):
            if name.startswith(KEPT[0]) or name == "public":
                with pytest.raises(TAKEN), master.transaction():
                    _make_schema(master, name)
                continue
            _make_schema(master, name)
            assert seen(master, TABLES) - before == {(name, name, "r")}
            if fits(f"sample_{name}"):
                table = Table(name, name, [{name: name}])
                assert _load(master, table) == 1
                _run(master, "sample_data_analyze", table)


def _make_schema(connection: Connection, name: str) -> None:
    column = identifier(name)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(column))
    table = identifier(name, name)
    connection.execute(sql.SQL("CREATE TABLE {} ({} text)").format(table, column))


# What else asks by names that a file holds; there is nothing to find.
ASKED_BY_NAME = {
    "migration_unfinished": lambda name: {"name": name, "schema": name},
    "migration_detachment": lambda name: {
        "parent": name,
        "part": name,
        "schema": name,
        "parent_schema": name,
    },
}


def test_an_index_is_found_and_dropped_by_exactly_its_name(master):
    drop = sql.SQL(QUERIES["migration_drop_index"].replace("CONCURRENTLY ", ""))
    with undone(master):
        for name in filter(fits, NAMES):
            place = identifier("public", name)
            with contextlib.suppress(psycopg.errors.DuplicateTable), master.transaction():
                master.execute(
                    sql.SQL("CREATE INDEX {} ON public.canary (alive)").format(identifier(name))
                )
                found = master.execute(
                    QUERIES["migration_index"], {"name": name, "schema": "public"}
                )
                assert found.fetchall() == [(True, "public", name)]
                for query, given in ASKED_BY_NAME.items():
                    assert master.execute(QUERIES[query], given(name)).fetchall() == []
                master.execute(drop.format(index=place))


def test_roles_are_exactly_what_was_named(master):
    before = seen(master, ROLES)
    for name in NAMES:
        if not fits(name):
            refused_before_any_sql(master, name)
            continue
        with undone(master):
            if name.startswith(KEPT[0]) or name in KEPT or (name,) in before:
                with pytest.raises(TAKEN):
                    apply_database(master, [change(name, "present")], str)
                continue
            apply_database(master, wanted(name), str)
            set_password(master, name, SECRET)
            assert seen(master, ROLES) - before == {(name,)}
            if name.isascii():
                _become_and_back(master, name)
            apply_database(master, [change(name, "setting search_path", NONE)], str)


def _become_and_back(connection: Connection, name: str) -> None:
    connection.execute(sql.SQL("GRANT {} TO {}").format(identifier(name), identifier(MASTER)))
    _become(connection, name)
    assert connection.execute("SELECT current_user").fetchone() == (name,)
    connection.execute("RESET ROLE")


def wanted(name: str) -> list[DatabaseChange]:
    """Everything that is ever done with a role."""
    return [
        change(name, "present"),
        change(name, "LOGIN"),
        change(name, "INHERIT", "no"),
        change(name, "setting search_path", name),
        change(name, "member of haven_app_ro", "inherited"),
        change("haven_reader", f"member of {name}", "inherited"),
        DatabaseChange("database", f"CONNECT to {name}", "granted", NONE),
        DatabaseChange("database", f"CONNECT to {name}", NONE, "granted"),
        DatabaseChange("schema/public", f"USAGE to {name}", "granted", NONE),
    ]


def change(role: str, attribute: str, value: str = "yes") -> DatabaseChange:
    return DatabaseChange(f"role/{role}", attribute, value, NONE)


def refused_before_any_sql(connection: Connection, name: str) -> None:
    connection.execute("SELECT 'quiet'")
    with pytest.raises(InvalidRequest, match="cannot stand in SQL") as caught:
        identifier(name)
    with pytest.raises(InvalidRequest, match="cannot stand in SQL"):
        apply_database(connection, [change(name, "present")], str)
    with pytest.raises(InvalidRequest, match="cannot stand in SQL"):
        _run(connection, "sample_data_analyze", Table("public", name, [{name: 1}]))
    assert str(caught.value).isascii()
    assert "\n" not in str(caught.value)


def test_a_role_called_public_is_not_everybody(master):
    with undone(master):
        expected = observe_database(master)
        master.execute('CREATE ROLE "PUBLIC"')
        master.execute('GRANT CREATE ON SCHEMA public TO "PUBLIC"')
        assert observe_database(master) == expected
