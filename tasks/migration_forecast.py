"""What pending files will do to a database: their statements, held against its sizes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from haven.migrations.forecast import Forecast
from haven.migrations.impact.foresee import Size, foresee
from haven.migrations.lint.trees import Key
from haven.migrations.script import Script
from haven.pg import Connection
from haven.sql import QUERIES
from tasks.lint import Linted


def forecast(
    connection: Connection, scripts: Sequence[Script], linted: Linted, lock_timeout: float
) -> tuple[Forecast, ...]:
    """Return what each statement of pending files will do; ``lock_timeout`` is in seconds."""
    headers = {script.migration.name: script.headers for script in scripts}
    named = {key for item in linted.judged for key in item.locks}
    sizes = relation_sizes(connection, named)
    return foresee(linted.judged, linted.findings, headers, sizes, lock_timeout)


def relation_sizes(connection: Connection, keys: Collection[Key]) -> dict[Key, Size]:
    """Return the sizes of the relations that are there; partitions count with their parents."""
    given = {"schemas": [key[0] for key in keys], "names": [key[1] for key in keys]}
    rows = connection.execute(QUERIES["relation_sizes"], given).fetchall()
    return {(schema, name): Size(size, count) for schema, name, size, count in rows}
