"""A scratch database beside another one: empty, provisioned alike, and gone at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import psycopg
from psycopg import sql

from haven.errors import Refused
from haven.identifiers import identifier
from haven.migrations.baseline import scratch_name
from haven.migrations.files import UNTOUCHED
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from haven.stack.database import database_changes
from tasks.bootstrap import apply_database, observe_database

NO_PASSWORDS: dict[str, str] = {}


@contextlib.contextmanager
def scratch_database(master: Login) -> Iterator[str]:
    """Make the scratch database of the login's database for a block; yields its name.

    One that a killed run left is dropped first. Raises ``Refused`` when the login may not make
    databases.
    """
    name = scratch_name(master.database)
    patient = replace(master, answer_limit=None)
    with session(patient) as connection:
        _drop(connection, name)
        _make(connection, patient, name)
        try:
            with session(replace(patient, database=name)) as inside:
                _furnish(inside)
            yield name
        finally:
            _drop(connection, name)


def _make(connection: Connection, master: Login, name: str) -> None:
    given = {"name": identifier(name)}
    try:
        connection.execute(sql.SQL(QUERIES["scratch_make"]).format(**given))
    except psycopg.errors.InsufficientPrivilege:
        raise Refused(
            f"{master.where} may not make the scratch database {name} in which the files are tried.",
            left=UNTOUCHED,
            cure=f"As a role that may: ALTER ROLE {master.user} CREATEDB, then run this command "
            "again.",
        ) from None
    connection.execute(sql.SQL(QUERIES["scratch_comment"]).format(**given))


def _drop(connection: Connection, name: str) -> None:
    connection.execute(sql.SQL(QUERIES["scratch_drop"]).format(name=identifier(name)))


def _furnish(connection: Connection) -> None:
    """Make what provision makes in a database; the roles are the server's, and left alone."""
    wanted = [
        change
        for change in database_changes(observe_database(connection))
        if not change.subject.startswith("role/")
    ]
    apply_database(connection, wanted, NO_PASSWORDS.__getitem__)
