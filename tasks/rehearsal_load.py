"""A small synthetic load for a rehearsal: short reads and writes by key, of sessions of their own."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import psycopg
from psycopg import sql

from haven.errors import HavenError, Unavailable
from haven.identifiers import identifier
from haven.migrations.files import UNTOUCHED
from haven.migrations.rehearsal import LoadFigures, Query
from haven.pg import Connection, Login, open_connection
from haven.sql import QUERIES
from tasks.rehearsal_watch import LOAD

NAME = "haven-load"
PAUSE_S = 0.002
KEYS = 50
MOST_TABLES = 8
# Shorter ones waited for nobody.
WORTH_KEEPING_S = 0.003


@dataclass(frozen=True, slots=True)
class Target:
    """A table, its key's columns, and a column to write, where there are any."""

    table: tuple[str, str]
    keys: tuple[str, ...]
    written: str | None


@dataclass(slots=True)
class Load:
    """What the load's sessions did. Each keeps its own, so none waits for another."""

    sessions: list[_Session] = field(default_factory=list)

    @property
    def queries(self) -> list[Query]:
        """Every query that took long enough to have waited."""
        return [query for item in self.sessions for query in item.slow]

    @property
    def figures(self) -> LoadFigures:
        """The load in figures."""
        spans = [span for item in self.sessions for span in item.spans]
        refused = sum((item.refused for item in self.sessions), Counter[str]())
        return LoadFigures(
            len(self.sessions),
            len(spans),
            dict(sorted(refused.items())),
            median(spans) if spans else 0.0,
            max(spans, default=0.0),
        )


@dataclass(slots=True)
class _Session:
    target: Target
    writes: bool
    spans: list[float] = field(default_factory=list)
    slow: list[Query] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    begun: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def loading(login: Login, targets: Sequence[Target]) -> Iterator[Load]:
    """Read and write each target, in a session for each, for as long as the block lasts."""
    load = Load([_Session(target, writes) for target in targets for writes in (False, True)])
    stop = threading.Event()
    threads = [
        threading.Thread(target=_work, name=NAME, args=(login, item, stop), daemon=True)
        for item in load.sessions
    ]
    try:
        for thread in threads:
            thread.start()
        if not all(item.begun.wait(login.connect_timeout) for item in load.sessions):
            raise Unavailable(
                f"{login.where}: the load of the rehearsal did not begin.",
                left=UNTOUCHED,
                cure="Run the same command again.",
            )
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _work(login: Login, item: _Session, stop: threading.Event) -> None:
    with (
        # Whoever waits for it to begin is told, and a server that goes away ends more than this.
        contextlib.suppress(psycopg.Error, HavenError),
        contextlib.closing(open_connection(login)) as connection,
    ):
        keys = _keys(connection, item.target)
        queries = itertools.cycle([_query(item.target, key, writes=item.writes) for key in keys])
        while not stop.wait(PAUSE_S):
            _run(connection, item, next(queries))


def _run(connection: Connection, item: _Session, query: sql.Composed) -> None:
    begin = time.monotonic()
    try:
        connection.execute(query)
    except psycopg.Error as error:
        if connection.closed:
            raise
        item.refused[error.sqlstate or "none"] += 1
    ended = Query(connection.info.backend_pid, begin, time.monotonic())
    item.spans.append(ended.seconds)
    if ended.seconds > WORTH_KEEPING_S:
        item.slow.append(ended)
    item.begun.set()


def _query(target: Target, key: Sequence[str | None], *, writes: bool) -> sql.Composed:
    table = identifier(*target.table)
    match: sql.Composable = sql.SQL("false")
    if target.keys:
        match = sql.SQL(" AND ").join(
            sql.SQL(QUERIES["rehearsal_load_match"]).format(
                column=identifier(column), value=sql.Literal(value)
            )
            for column, value in zip(target.keys, key, strict=True)
        )
    if writes and target.written:
        return sql.SQL(QUERIES["rehearsal_load_write"]).format(
            table=table, match=match, column=identifier(target.written)
        )
    return sql.SQL(QUERIES["rehearsal_load_read"]).format(table=table, match=match)


def find_targets(owner: Connection, names: Collection[tuple[str, str]]) -> list[Target]:
    """Give the load rights on those of the relations that are tables; return what it is to use.

    ``owner`` is a session that acts as their owner. Of many tables it uses a few.
    """
    given = {"schemas": [schema for schema, _ in names], "names": [name for _, name in names]}
    rows = owner.execute(QUERIES["rehearsal_load_tables"], given).fetchall()
    targets = [
        Target((schema, name), tuple(keys), written)
        for schema, name, keys, written in rows[:MOST_TABLES]
    ]
    for target in targets:
        rights = sql.SQL(QUERIES["rehearsal_load_rights"]).format(
            schema=identifier(target.table[0]),
            table=identifier(*target.table),
            role=identifier(LOAD),
        )
        owner.execute(rights)
    return targets


def _keys(connection: Connection, target: Target) -> list[tuple[str | None, ...]]:
    """Return some keys of a table, as text; one that no row has where there is no row."""
    columns = [
        sql.SQL(QUERIES["rehearsal_load_key"]).format(column=identifier(column))
        for column in target.keys
    ]
    if not columns:
        return [()]
    query = sql.SQL(QUERIES["rehearsal_load_keys"]).format(
        keys=sql.SQL(", ").join(columns),
        table=identifier(*target.table),
        count=sql.Literal(KEYS),
    )
    keys: list[tuple[str | None, ...]] = connection.execute(query).fetchall()
    return keys or [(None,) * len(columns)]
