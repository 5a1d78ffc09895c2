"""The ledger of migrations in the database: reading it, making it, and its rows as SQL."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from haven.errors import Failed, Refused
from haven.migrations.plan import Entry
from haven.migrations.script import Script
from haven.pg import Connection
from haven.sql import QUERIES
from tasks.migration_lock import WORK_KEY


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a database says of its migrations."""

    has_schema: bool
    has_table: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Author:
    """Who runs, with which version of Haven: both go into every row."""

    who: str
    tool_version: str


def read_ledger(connection: Connection) -> Ledger:
    """Read the ledger in as many statements for many rows as for none.

    Raises ``Refused`` on a replica.
    """
    row = connection.execute(QUERIES["migration_place"]).fetchone()
    if row is None:
        raise Failed("The server did not say whether it is a primary.")
    if row[0]:
        raise Refused(
            "The server is a replica: it replays another one.",
            left="Nothing was touched.",
            cure="Migrate the primary; replicas follow it.",
        )
    rows = connection.execute(QUERIES["ledger_read"]).fetchall() if row[2] else []
    entries = tuple(Entry(*values) for values in rows)
    return Ledger(has_schema=row[1], has_table=row[2], entries=entries)


def make_ledger(connection: Connection, ledger: Ledger) -> None:
    """Make what is absent of the ledger, in one transaction."""
    with connection.transaction():
        if not ledger.has_schema:
            connection.execute(QUERIES["ledger_schema"])
        if not ledger.has_table:
            connection.execute(QUERIES["ledger_table"])


def begin_file(connection: Connection, script: Script, lock_timeout: float) -> bytes:
    """Write the SQL that stands before a transactional file."""
    return _limits("migration_begin_file", connection, script, lock_timeout) + b"\n"


def begin_statements(connection: Connection, script: Script, lock_timeout: float) -> bytes:
    """Write the SQL that prepares the session for a non-transactional file."""
    return _limits("migration_begin_statements", connection, script, lock_timeout)


def end_file(connection: Connection, script: Script, author: Author) -> bytes:
    """Write the SQL that stands after a transactional file, and makes the session as new."""
    return _row("migration_end_file", connection, script, author) + reset(connection)


def reset(connection: Connection) -> bytes:
    """Write the SQL that takes from the session what a file left in it."""
    text = sql.SQL(QUERIES["migration_reset"]).format(key=sql.Literal(WORK_KEY))
    return b"\n" + text.as_bytes(connection)


def begun(connection: Connection, script: Script, author: Author) -> bytes:
    """Write the SQL that says that a non-transactional file is under way."""
    return _row("migration_begun", connection, script, author)


def progress(connection: Connection, script: Script, done: int, digest: str) -> bytes:
    """Write the SQL that records how many statements are done, and commits."""
    text = sql.SQL(QUERIES["migration_progress"]).format(
        done=sql.Literal(done),
        digest=sql.Literal(digest),
        number=sql.Literal(script.migration.number),
    )
    return text.as_bytes(connection)


def close_file(connection: Connection, script: Script, state: str) -> bytes:
    """Write the SQL that says that a non-transactional file is done or failed."""
    text = sql.SQL(QUERIES["migration_close"]).format(
        state=sql.Literal(state), number=sql.Literal(script.migration.number)
    )
    return text.as_bytes(connection)


def milliseconds(script: Script, lock_timeout: float) -> int:
    """Return the lock timeout of a file: its header's, or the run's."""
    return script.headers.lock_timeout_ms or max(1, round(lock_timeout * 1000))


def _limits(query: str, connection: Connection, script: Script, lock_timeout: float) -> bytes:
    text = sql.SQL(QUERIES[query]).format(
        lock_timeout=sql.Literal(milliseconds(script, lock_timeout)),
        statement_timeout=sql.Literal(script.headers.statement_timeout_ms or 0),
    )
    return text.as_bytes(connection)


def _row(query: str, connection: Connection, script: Script, author: Author) -> bytes:
    migration = script.migration
    text = sql.SQL(QUERIES[query]).format(
        number=sql.Literal(migration.number),
        name=sql.Literal(migration.name),
        checksum=sql.Literal(migration.checksum),
        chained=sql.Literal(script.pending.chained),
        statements=sql.Literal(len(script.statements)),
        who=sql.Literal(author.who),
        tool_version=sql.Literal(author.tool_version),
    )
    return text.as_bytes(connection)
