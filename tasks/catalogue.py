"""The catalogue of a live database: reading it, writing it down, and telling what changed since."""

from __future__ import annotations

from psycopg import sql

from haven.migrations.catalogue import Catalogue, Drift, compare, digest_of
from haven.pg import Connection
from haven.sql import QUERIES
from haven.stack.database import EVERYONE, EXTENSIONS, ROLES
from tasks.ledger import Ledger

# What provision makes and puts right in the database is its own, and no drift of migrations.
PROVISIONED = ["plpgsql", *EXTENSIONS]
GRANTEES = [EVERYONE, *(role.name for role in ROLES)]


def read_live(connection: Connection, lock_timeout: float) -> Catalogue:
    """Read everything that migrations own; the lock timeout is in seconds."""
    with connection.transaction():
        _prepare(connection, lock_timeout)
        return _rows(connection, _live())


def record_catalogue(connection: Connection, lock_timeout: float) -> str:
    """Write the live catalogue down beside the newest file of the ledger; return its digest."""
    with connection.transaction():
        connection.execute(QUERIES["catalogue_role"])
        _prepare(connection, lock_timeout)
        query = sql.SQL(QUERIES["catalogue_record"]).format(live=_live())
        digest = digest_of(_rows(connection, query))
        connection.execute(QUERIES["catalogue_mark"], {"digest": digest})
    return digest


def look_for_drift(connection: Connection, ledger: Ledger, lock_timeout: float) -> Drift:
    """Hold the live catalogue against the one that was written down."""
    if not ledger.recorded:
        return Drift()
    before = _rows(connection, sql.SQL(QUERIES["catalogue_recorded"]))
    if digest_of(before) != ledger.digest:
        return Drift()
    after = read_live(connection, lock_timeout)
    return Drift(known=True, changes=compare(before, after), digest=digest_of(after))


def _prepare(connection: Connection, lock_timeout: float) -> None:
    limit = sql.Literal(max(1, round(lock_timeout * 1000)))
    connection.execute(sql.SQL(QUERIES["catalogue_settings"]).format(lock_timeout=limit))


def _live() -> sql.Composed:
    return sql.SQL(QUERIES["catalogue_live"]).format(
        extensions=sql.Literal(PROVISIONED), grantees=sql.Literal(GRANTEES)
    )


def _rows(connection: Connection, query: sql.SQL | sql.Composed) -> Catalogue:
    return {(kind, name): text for kind, name, text in connection.execute(query)}
