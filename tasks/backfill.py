"""Running a backfill: batch after batch along the primary key, each with its place in the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from haven.identifiers import identifier
from haven.migrations.backfill import Backfill, check_key, check_seen, read_backfill
from haven.migrations.lint.trees import Key
from haven.migrations.plan import FAILED
from haven.migrations.script import Script, digest_of
from haven.pg import Connection
from haven.sql import QUERIES
from tasks import ledger
from tasks.migration_session import GOING_DOWN, IN_THE_WAY, Work
from tasks.script_session import come_back, must, prepare, query
from tasks.statement_errors import in_the_way, statement_error

SAY_EVERY_S = 5.0
LEFT = "The batches so far are applied, and recorded."


@dataclass(frozen=True, slots=True)
class Rest:
    """The rows that are left: what to run on them, along which columns, after which key.

    ``last`` is empty before the first batch.
    """

    backfill: Backfill
    key: tuple[str, ...]
    last: tuple[str, ...] = ()


@dataclass(slots=True)
class Told:
    """What this run did, and when a person last heard of it, in the clock's seconds."""

    heard: float
    batches: int = 0
    rows: int = 0


def fill(work: Work, script: Script, between: Callable[[Connection], None]) -> None:
    """Run the batches that the ledger does not have yet; each commits with its place in it.

    ``between`` is called after each one.
    """
    told = Told(work.clock.now())
    rest, attempt = _rest(work, script), 0
    while rest is not None:
        work.lock.check()
        before = rest
        try:
            rest, count = _batch(work, script, before)
        except psycopg.Error as error:
            rest, attempt = _after(work, script, before, error, attempt), attempt + 1
            continue
        attempt = 0
        _tell(work, script, told, count, last=rest is None)
        between(work.connection)


def check(work: Work, script: Script) -> None:
    """Raise ``Refused`` where the rows have no key, or cannot all be seen."""
    _look(work, script, read_backfill(script))


def _rest(work: Work, script: Script) -> Rest | None:
    """Return what the ledger says is left; none when every row is done."""
    entries = ledger.read_ledger(work.connection).entries
    entry = next(item for item in entries if item.number == script.migration.number)
    backfill = read_backfill(script)
    key = _look(work, script, backfill)
    if entry.statements_done:
        return None
    return Rest(backfill, key, tuple(json.loads(entry.last_key or "[]")))


def _look(work: Work, script: Script, backfill: Backfill) -> tuple[str, ...]:
    """Return the columns of the key, and let the session see rows that a policy lets the owner see."""
    place = f"{script.migration.name}:{script.statements[0].line}"
    table = {"table": _text(work, backfill.table)}
    row = work.connection.execute(QUERIES["backfill_table"], table).fetchone()
    relkind, parent, key = row or ("", False, None)
    check_key(place, backfill, relkind, parent=parent, key=key or ())
    named = {
        "relations": [_text(work, relation) for relation in backfill.relations],
        "schemas": [schema for schema, _ in backfill.functions],
        "functions": [name for _, name in backfill.functions],
    }
    secured = work.connection.execute(QUERIES["backfill_secured"], named).fetchone()
    if secured and secured[0]:
        check_seen(place, work.connection.execute(QUERIES["backfill_hidden"], named).fetchall())
        must(work, script, query("backfill_seen", work))
    return tuple(key or ())


def _batch(work: Work, script: Script, rest: Rest) -> tuple[Rest | None, int]:
    """Run one batch in a transaction with its place; return what is left, and how many rows it wrote."""
    connection = work.connection
    with connection.transaction():
        last = _last(connection, rest, script.headers.batch or 1)
        count = connection.execute(_update(connection, rest, last)).rowcount
        connection.execute(_progress(script, last, count))
    return (replace(rest, last=last) if last else None), count


def _last(connection: Connection, rest: Rest, size: int) -> tuple[str, ...]:
    """Return the last key of the next batch; the settings it is written in are the file's again."""
    with connection.transaction(force_rollback=True):
        connection.execute(QUERIES["backfill_text"])
        bound = connection.execute(_bound(rest, size)).fetchone()
    return tuple(bound[0]) if bound else ()


def _after(
    work: Work, script: Script, rest: Rest, error: psycopg.Error, attempt: int
) -> Rest | None:
    """Make up for an error, and return what is left then. Raises what ends the run."""
    if work.connection.closed or error.sqlstate in GOING_DOWN:
        come_back(work, script, attempt, LEFT)
        prepare(work, script, 0)
        return _rest(work, script)
    if error.sqlstate in IN_THE_WAY and attempt + 1 < work.attempts:
        work.pause(attempt, f"{script.migration.name}: another session is in the way")
        return rest
    must(work, script, ledger.close_file(work.connection, script, FAILED))
    if error.sqlstate in IN_THE_WAY:
        raise in_the_way(script, 0, error, LEFT, work.attempts)
    raise statement_error(script, 0, error, LEFT)


def _tell(work: Work, script: Script, told: Told, count: int, *, last: bool) -> None:
    told.batches, told.rows = told.batches + 1, told.rows + count
    if last or work.clock.now() - told.heard >= SAY_EVERY_S:
        told.heard = work.clock.now()
        work.progress(f"{script.migration.name}: {told.rows:,} rows in {told.batches:,} batches")


def _bound(rest: Rest, size: int) -> sql.Composed:
    columns = _columns(rest)
    return sql.SQL(QUERIES["backfill_bound"]).format(
        texts=sql.SQL(", ").join(column + sql.SQL("::text") for column in columns),
        table=_relation(rest.backfill.table),
        name=identifier(rest.backfill.name),
        after=_range(rest, ()),
        columns=sql.SQL(", ").join(columns),
        skipped=sql.Literal(size - 1),
    )


def _update(connection: Connection, rest: Rest, until: Sequence[str]) -> bytes:
    """Write the file's UPDATE for the rows behind the last key, up to another or to the end."""
    backfill = rest.backfill
    text = backfill.head.encode() + b"\nWHERE " + _range(rest, until).as_bytes(connection)
    if backfill.condition is None:
        return text
    return text + b" AND (" + backfill.condition.encode() + b"\n)"


def _range(rest: Rest, until: Sequence[str]) -> sql.Composable:
    columns = sql.SQL("({})").format(sql.SQL(", ").join(_columns(rest)))
    limits = []
    if rest.last:
        limits.append(sql.SQL("{} > ({})").format(columns, _values(rest.last)))
    if until:
        limits.append(sql.SQL("{} <= ({})").format(columns, _values(until)))
    return sql.SQL(" AND ").join(limits) if limits else sql.SQL("true")


def _values(key: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Literal(value) for value in key)


def _columns(rest: Rest) -> list[sql.Identifier]:
    return [identifier(rest.backfill.name, column) for column in rest.key]


def _progress(script: Script, last: Sequence[str], count: int) -> sql.Composed:
    """Write the SQL that records a batch; one without a last key was the last one."""
    return sql.SQL(QUERIES["backfill_progress"]).format(
        last_key=sql.Literal(list(last) or None),
        rows=sql.Literal(count),
        statements=sql.Literal(0 if last else 1),
        digest=sql.Literal("" if last else digest_of(script.statements)),
        number=sql.Literal(script.migration.number),
    )


def _relation(key: Key) -> sql.Identifier:
    return identifier(*filter(None, key))


def _text(work: Work, key: Key) -> str:
    """Return a relation's name as the server reads it from a text."""
    return _relation(key).as_string(work.connection)
