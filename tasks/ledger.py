"""The ledger of migrations in the database: reading it, making it, and its rows as SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from haven.errors import Failed, Refused
from haven.migrations.catalogue import FORM
from haven.migrations.plan import Entry
from haven.migrations.script import Script
from haven.pg import Connection
from haven.sql import QUERIES
from tasks.migration_lock import WORK_KEY


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a database says of its migrations.

    ``complete`` is false for what an older Haven made: it lacks what this one keeps besides.
    """

    has_schema: bool
    has_table: bool
    complete: bool
    entries: tuple[Entry, ...]

    @property
    def digest(self) -> str:
        """The digest of the catalogue that was written down after the newest file."""
        return self.entries[-1].catalogue if self.entries else ""

    def digest_after(self, number: int) -> str:
        """Return the digest that was written down when a file was the newest; empty for none."""
        found = (entry.catalogue for entry in self.entries if entry.number == number)
        digest = next(found, "")
        return digest if digest.startswith(f"{FORM}:") else ""

    @property
    def recorded(self) -> bool:
        """Tell whether the catalogue was written down since the newest file."""
        return self.digest.startswith(f"{FORM}:")


@dataclass(frozen=True, slots=True)
class Author:
    """Who runs, with which version of Haven: both go into every row."""

    who: str
    tool_version: str


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """The last moment before a file began: which one, the time, and the place in the WAL."""

    number: int
    file: str
    time: datetime
    lsn: str


def read_restore_point(connection: Connection, numbers: Sequence[int]) -> RestorePoint | None:
    """Return the point before the first of some files; none where no file is named."""
    if not numbers:
        return None
    row = connection.execute(QUERIES["ledger_restore"], {"number": min(numbers)}).fetchone()
    if row is None or row[3] is None:
        return None
    number, name, seconds, lsn = row
    return RestorePoint(number, name, _moment(seconds), lsn)


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
    return Ledger(has_schema=row[1], has_table=row[2], complete=row[3], entries=entries)


def make_ledger(connection: Connection, ledger: Ledger, lock_timeout: float) -> None:
    """Make what is absent of the ledger, in one transaction; the lock timeout is in seconds."""
    with connection.transaction():
        limit = sql.Literal(max(1, round(lock_timeout * 1000)))
        connection.execute(sql.SQL(QUERIES["ledger_patience"]).format(lock_timeout=limit))
        if not ledger.has_schema:
            connection.execute(QUERIES["ledger_schema"])
        if not ledger.has_table:
            connection.execute(QUERIES["ledger_table"])
        if not ledger.complete:
            connection.execute(QUERIES["ledger_further"])


def add_event(
    connection: Connection,
    author: Author,
    event: str,
    number: int,
    reason: str,
    before: Sequence[str] | None = None,
) -> None:
    """Add a row of history; ``before`` stands in for the row of the ledger, kept otherwise."""
    connection.execute(event_row(author, event, number, reason, before))


def event_row(
    author: Author,
    event: str,
    number: int,
    reason: str,
    before: Sequence[str] | None = None,
) -> sql.Composed:
    """Write the SQL that adds a row of history."""
    return sql.SQL(QUERIES["ledger_event"]).format(
        event=sql.Literal(event),
        number=sql.Literal(number),
        reason=sql.Literal(reason),
        before=sql.Literal(None if before is None else json.dumps(before)),
        who=sql.Literal(author.who),
        tool_version=sql.Literal(author.tool_version),
    )


def last_change(connection: Connection) -> tuple[datetime, datetime | None]:
    """Return the server's time, and when anything in the ledger last changed."""
    changed = None
    row = connection.execute(QUERIES["ledger_now"]).fetchone()
    if read_ledger(connection).complete:
        (changed,) = connection.execute(QUERIES["ledger_changed"]).fetchone() or (None,)
    now = _moment(row[0]) if row else datetime.now(UTC)
    return now, None if changed is None else _moment(changed)


def _moment(seconds: str) -> datetime:
    """Read seconds: as a text the session would write times as the database is set to."""
    return datetime.fromtimestamp(float(seconds), UTC)


def accepted_above(connection: Connection, number: int) -> bool:
    """Tell whether drift was accepted while a file above a number was the newest."""
    row = connection.execute(QUERIES["ledger_accepted"], {"number": number}).fetchone()
    return row is not None and bool(row[0])


def begin_file(connection: Connection, script: Script, lock_timeout: float) -> bytes:
    """Write the SQL that stands before a transactional file."""
    return _limits("migration_begin_file", connection, script, lock_timeout) + b"\n"


def begin_statements(connection: Connection, script: Script, lock_timeout: float) -> bytes:
    """Write the SQL that prepares the session for a non-transactional file."""
    return _limits("migration_begin_statements", connection, script, lock_timeout)


def read_place(connection: Connection) -> str | None:
    """Return the place that the WAL has come to."""
    row = connection.execute(QUERIES["migration_restore_point"]).fetchone()
    return row[0] if row else None


def end_file(connection: Connection, script: Script, author: Author, place: str | None) -> bytes:
    """Write the SQL that stands after a transactional file, and makes the session as new."""
    return _row("migration_end_file", connection, script, author, place) + reset(connection)


def end_undo(connection: Connection, script: Script, author: Author) -> bytes:
    """Write the SQL that stands after a down file, and makes the session as new."""
    number = script.migration.number
    event = event_row(author, "undone", number, f"by {script.migration.name}")
    text = sql.SQL(QUERIES["migration_end_undo"]).format(event=event, number=sql.Literal(number))
    return text.as_bytes(connection) + reset(connection)


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


def _row(
    query: str, connection: Connection, script: Script, author: Author, lsn: str | None = None
) -> bytes:
    migration = script.migration
    text = sql.SQL(QUERIES[query]).format(
        number=sql.Literal(migration.number),
        name=sql.Literal(migration.name),
        checksum=sql.Literal(migration.checksum),
        chained=sql.Literal(script.pending.chained),
        statements=sql.Literal(len(script.statements)),
        who=sql.Literal(author.who),
        tool_version=sql.Literal(author.tool_version),
        lsn=sql.Literal(lsn),
    )
    return text.as_bytes(connection)
