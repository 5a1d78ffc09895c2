"""What a file that runs asks of its session: SQL that has to work, and coming back after a loss."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from haven.errors import Failed, Unavailable
from haven.migrations.script import Script
from haven.sql import QUERIES
from tasks import ledger
from tasks.migration_session import Work
from tasks.statement_errors import connection_lost


def prepare(work: Work, script: Script, done: int) -> None:
    """Give the session the file's limits, and the settings it made before it was cut off."""
    must(work, script, ledger.begin_statements(work.connection, script, work.lock_timeout))
    for statement in script.statements[:done]:
        if statement.traits.setting:
            must(work, script, statement.text.encode())


def come_back(work: Work, script: Script, attempt: int, left: str) -> None:
    """Open the session again; raise when the server stays away or the attempts are used up."""
    if attempt + 1 >= work.attempts:
        raise connection_lost(script, left)
    work.pause(attempt, f"{script.migration.name}: the connection was lost")
    try:
        work.reopen()
    except Unavailable as error:
        raise Unavailable(error.what, left=left, cure=connection_lost(script, left).cure) from None


def query(name: LiteralString, work: Work) -> bytes:
    """Return SQL of the runner's own, as it is sent."""
    return sql.SQL(QUERIES[name]).as_bytes(work.connection)


def must(work: Work, script: Script, text: bytes) -> None:
    """Send SQL of the runner's own, which has no reason to fail."""
    sent = work.send(text)
    if sent.error is None:
        return
    left = "The ledger says how far the file came."
    if sent.lost:
        raise connection_lost(script, left)
    raise Failed(
        f"{script.migration.name}: the runner's own SQL failed: {sent.error.diag.message_primary} "
        f"(SQLSTATE {sent.error.sqlstate}).",
        left=left,
        cure="Run the same command again.",
    )
