"""Statistics of the tables that a migration changed, gathered anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import psycopg
from psycopg import sql

from haven.identifiers import identifier
from haven.migrations.impact.locks import Lock
from haven.migrations.lint.linter import Judged
from haven.migrations.lint.trees import Key, dotted
from haven.pg import Connection
from haven.sql import QUERIES

# It is gone since, or somebody is at work on it, whom autovacuum will follow.
LEFT_OUT = (psycopg.errors.UndefinedTable, psycopg.errors.LockNotAvailable)


def changed_tables(judged: Iterable[Judged]) -> set[Key]:
    """Return the tables with rows whose definition the statements change."""
    return {
        key
        for item in judged
        for key, lock in item.locks.items()
        if lock >= Lock.SHARE_UPDATE_EXCLUSIVE
    }


def analyze(connection: Connection, tables: Iterable[Key]) -> Iterator[str]:
    """Gather statistics of tables that still stand; yield the name of each.

    New columns and indexes on expressions have none until then. A large table is sampled.
    """
    for key in sorted(tables):
        name = identifier(*(part for part in key if part))
        query = sql.SQL(QUERIES["migration_analyze"]).format(table=name)
        try:
            with connection.transaction():
                connection.execute(query)
        except LEFT_OUT:
            continue
        yield dotted(key)
