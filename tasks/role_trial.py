"""Trying out what a login may do: reading, writing, and as much as another role."""

from __future__ import annotations

import psycopg
from psycopg import sql

from haven.errors import Failed
from haven.identifiers import identifier
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from tasks.kinds import looks

NOT_ALLOWED = "42501"
MOST_TOLD = 5


@looks
def refuse_other_privileges(master: Login, role: str, other: str) -> None:
    """Raise ``Failed`` when one of two roles may do what the other may not."""
    with session(master) as connection:
        found = connection.execute(
            QUERIES["privilege_differences"], {"roles": [role, other]}
        ).fetchall()
    if found:
        told = [f"{privilege} on {subject} only for {who}" for who, subject, privilege in found]
        more = f", and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        raise Failed(
            f"{role} and {other} may not do the same: {', '.join(told[:MOST_TOLD])}{more}.",
            left="The pointer was not moved.",
            cure="Grant to the group that both are members of, then run the same command again.",
        )


@looks
def try_out(login: Login) -> str:
    """Read and write something as a login, and roll it back; return what was done.

    Raises ``Failed`` when the server does not allow what its catalogue says it does.
    """
    with session(login, autocommit=False) as connection:
        done = [*_read(connection), *_write(connection)]
        connection.rollback()
    return " and ".join(done) or "may read no table"


def _read(connection: Connection) -> list[str]:
    row = connection.execute(QUERIES["readable_table"]).fetchone()
    if row is None:
        return []
    table = identifier(*row)
    _attempt(connection, sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table))
    return [f"read {'.'.join(row)}"]


def _write(connection: Connection) -> list[str]:
    row = connection.execute(QUERIES["writable_column"]).fetchone()
    if row is None:
        return []
    table, column = identifier(*row[:2]), identifier(row[2])
    # A row that somebody else holds is passed over.
    statement = sql.SQL(
        "UPDATE {table} SET {column} = {column} WHERE ctid = "
        "(SELECT ctid FROM {table} LIMIT 1 FOR UPDATE SKIP LOCKED)"
    ).format(table=table, column=column)
    _attempt(connection, statement)
    return [f"wrote {'.'.join(row[:2])}, rolled back"]


def _attempt(connection: Connection, statement: sql.Composed) -> None:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as error:
        # What a trigger or a lock says is not about the login.
        if error.sqlstate == NOT_ALLOWED:
            raise Failed(
                f"{connection.info.user} may not do what the catalogue says it may: "
                f"{statement.as_string(connection)}.",
                left="Nothing was changed by it.",
                cure="Look for policies and functions that refuse it.",
            ) from error
        if connection.closed:
            raise
