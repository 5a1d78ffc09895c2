"""Running migration files for a rehearsal, one statement at a time, each of them measured."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from haven.errors import Failed
from haven.migrations.plan import DONE
from haven.migrations.rehearsal import Locks, Measured
from haven.migrations.script import Script, Statement, digest_of
from haven.sql import QUERIES
from tasks import ledger
from tasks.backfill import check, fill
from tasks.migration_files import verified
from tasks.migration_session import Sent, Work
from tasks.rehearsal_watch import Watch
from tasks.statement_errors import connection_lost, in_the_way, statement_error

LEFT = "The database was not touched: this was its clone, which is removed."
FOREIGN_KEY = "23503"
SAMPLED = (
    "If the row it misses is in the database, the sample has left it out: rows come along by "
    "foreign keys, there already or added by ALTER TABLE, and by nothing else."
)
WorkOf = Callable[[str, int, Locks], tuple[str, float]]


@dataclass(slots=True)
class Rehearsing:
    """A rehearsal at work: the session, who watches it, and what was measured and noted.

    ``work_of`` says, by file, line and locks, what a statement does to rows, and how many times as
    many rows there are.
    """

    work: Work
    watch: Watch
    work_of: WorkOf
    measured: list[Measured] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def rehearse_files(rehearsing: Rehearsing, scripts: Sequence[Script]) -> None:
    """Run files as a migration does, and measure each of their statements.

    Raises ``Failed`` naming the statement that cannot work, ``Unavailable`` when the load was in
    its way at every attempt or the server went away.
    """
    for script in scripts:
        rehearsing.work.progress(f"rehearsing {script.migration.name}")
        if script.headers.transactional:
            rehearsing.measured += _whole(rehearsing, script)
        elif script.headers.batch is not None:
            rehearsing.measured.append(_in_batches(rehearsing, script))
        else:
            rehearsing.measured += _one_by_one(rehearsing, script)


def _whole(rehearsing: Rehearsing, script: Script) -> list[Measured]:
    """Measure a file that is one transaction, whose locks end together."""
    work = rehearsing.work
    for attempt in itertools.count():
        _must(work, script, ledger.begin_file(work.connection, script, work.lock_timeout))
        steps: list[Measured] = []
        for index, statement in enumerate(script.statements):
            sent, step = _measure(rehearsing, script, statement)
            if sent.error is not None:
                _give_up_or_wait(rehearsing, script, index, sent, attempt)
                break
            steps.append(step)
        else:
            _verify(rehearsing, script)
            end_file = ledger.end_file(work.connection, script, work.author, None)
            _must(work, script, end_file)
            end = time.monotonic()
            return [replace(step, until=end) for step in steps]
    return []


def _one_by_one(rehearsing: Rehearsing, script: Script) -> list[Measured]:
    """Measure a file whose statements each have a transaction, or several, of their own."""
    work = rehearsing.work
    _must(work, script, ledger.begin_statements(work.connection, script, work.lock_timeout))
    _must(work, script, ledger.begun(work.connection, script, work.author))
    steps = []
    for index, statement in enumerate(script.statements):
        done = ledger.progress(
            work.connection, script, index + 1, digest_of(script.statements[: index + 1])
        )
        steps.append(_own_transaction(rehearsing, script, index, statement, done))
    _close(rehearsing, script)
    return steps


def _in_batches(rehearsing: Rehearsing, script: Script) -> Measured:
    """Measure a backfill as one statement, whose locks are seen to come and go."""
    work, watch, statement = rehearsing.work, rehearsing.watch, script.statements[0]
    _must(work, script, ledger.begin_statements(work.connection, script, work.lock_timeout))
    check(work, script)
    _must(work, script, ledger.begun(work.connection, script, work.author))
    wal, begin = watch.wal(), time.monotonic()
    fill(work, script, lambda _: None)
    end = time.monotonic()
    _close(rehearsing, script)
    return _measured(rehearsing, script, statement, (begin, end), None, watch.wal() - wal)


def _own_transaction(
    rehearsing: Rehearsing, script: Script, index: int, statement: Statement, done: bytes
) -> Measured:
    work = rehearsing.work
    begin = QUERIES["migration_begin_statement"].encode()
    alone = statement.traits.alone
    unlimited = statement.traits.concurrent and script.headers.lock_timeout_ms is None
    if unlimited:
        _must(work, script, QUERIES["migration_no_lock_limit"].encode())
    attempt = 0
    _must(work, script, b"" if alone else begin)
    sent, step = _measure(rehearsing, script, statement, alone=alone)
    while sent.error is not None:
        # An index that was given up stays behind, INVALID, and another attempt would meet it.
        _give_up_or_wait(rehearsing, script, index, sent, work.attempts if alone else attempt)
        attempt += 1
        _must(work, script, b"" if alone else begin)
        sent, step = _measure(rehearsing, script, statement, alone=alone)
    if unlimited:
        _must(work, script, _lock_limit(work, script))
    _must(work, script, begin + b"\n" + done if alone else done)
    return step if alone else replace(step, until=time.monotonic())


def _lock_limit(work: Work, script: Script) -> bytes:
    limit = ledger.milliseconds(script, work.lock_timeout)
    query = sql.SQL(QUERIES["migration_lock_limit"]).format(lock_timeout=sql.Literal(limit))
    return query.as_bytes(work.connection)


def _measure(
    rehearsing: Rehearsing, script: Script, statement: Statement, *, alone: bool = False
) -> tuple[Sent, Measured]:
    """Run one statement; what it holds is seen from another session before its transaction ends."""
    watch = rehearsing.watch
    wal, begin = watch.wal(), time.monotonic()
    sent = rehearsing.work.send(statement.text.encode())
    end = time.monotonic()
    held = watch.look().held
    span, written = (begin, end), watch.wal() - wal
    return sent, _measured(rehearsing, script, statement, span, None if alone else held, written)


def _measured(
    rehearsing: Rehearsing,
    script: Script,
    statement: Statement,
    span: tuple[float, float],
    held: Locks | None,
    wal: int,
) -> Measured:
    name, (begin, end) = script.migration.name, span
    locks = rehearsing.watch.seen(begin, end) if held is None else held
    words, scale = rehearsing.work_of(name, statement.line, locks)
    return Measured(name, statement.line, statement.start, begin, end, end, held, wal, words, scale)


def _close(rehearsing: Rehearsing, script: Script) -> None:
    """End a file that ran in no common transaction."""
    work = rehearsing.work
    if script.headers.verifies:
        _must(work, script, QUERIES["migration_begin_statement"].encode())
        _verify(rehearsing, script)
        _must(work, script, b"COMMIT;")
    closed = ledger.close_file(work.connection, script, DONE)
    _must(work, script, closed + ledger.reset(work.connection))


def _verify(rehearsing: Rehearsing, script: Script) -> None:
    """Ask what the file is to prove, in its transaction; of a sample it need not be true."""
    work = rehearsing.work
    for query in script.headers.verifies:
        sent = work.send(verified(query).as_bytes(work.connection))
        if sent.error is None:
            continue
        if sent.lost:
            raise connection_lost(script, LEFT)
        rehearsing.notes.append(
            f"{script.migration.name}: what it is to prove does not hold of the copied rows: "
            f"{query} (SQLSTATE {sent.error.sqlstate})"
        )
        _must(work, script, QUERIES["rehearsal_unverify"].encode())


def _give_up_or_wait(
    rehearsing: Rehearsing, script: Script, index: int, sent: Sent, attempt: int
) -> None:
    error, work = sent.error, rehearsing.work
    if error is None:
        return
    if sent.lost:
        raise connection_lost(script, LEFT)
    work.connection.rollback()
    if not sent.in_the_way:
        raise _told(statement_error(script, index, error, LEFT), error)
    if attempt + 1 >= work.attempts:
        raise in_the_way(script, index, error, LEFT, work.attempts)
    name = script.migration.name
    rehearsing.notes.append(f"{name}: the load was in the way of attempt {attempt + 1}")
    work.pause(attempt, f"{name}: the load is in the way")


def _told(told: Failed, error: psycopg.Error) -> Failed:
    cure = f"{told.cure} {SAMPLED}" if error.sqlstate == FOREIGN_KEY else told.cure
    return Failed(f"In the rehearsal, {told.what}", left=told.left, cure=cure)


def _must(work: Work, script: Script, text: bytes) -> None:
    """Send SQL of the runner's own, or the end of a file's transaction."""
    sent = work.send(text)
    if sent.error is None:
        return
    if sent.lost:
        raise connection_lost(script, LEFT)
    work.connection.rollback()
    raise _told(statement_error(script, len(script.statements), sent.error, LEFT), sent.error)


def scale_of(relations: Collection[str], scales: Mapping[str, float]) -> float:
    """Return how many times as many rows the largest of some relations has."""
    return max((scales.get(relation, 1.0) for relation in relations), default=1.0)
