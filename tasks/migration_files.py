"""Running one migration file, whole or statement by statement."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection

from psycopg import sql

from haven.migrations.plan import DONE, FAILED, RUNNING
from haven.migrations.script import Script, Statement, digest_of
from haven.pg import Connection
from haven.sql import QUERIES
from tasks import ledger
from tasks.cut_off import still_to_do
from tasks.migration_session import Sent, Work
from tasks.script_session import come_back, must, prepare, query
from tasks.statement_errors import (
    VERIFY_STATEMENTS,
    connection_lost,
    in_the_way,
    statement_error,
    verification_error,
)

ROLLED_BACK = "The file was rolled back; the files before it stay applied."
PREAMBLE_STATEMENTS = 6


def apply_script(
    work: Work, script: Script, between: Callable[[Connection], None] = lambda _: None
) -> None:
    """Run one file so that the ledger and the database agree whatever happens on the way.

    ``between`` is called after each batch of one that runs in batches; it may wait, and raise.
    """
    if script.headers.transactional:
        _apply_whole(work, script)
    else:
        _apply_statements(work, script, between)


def undo_script(work: Work, script: Script) -> None:
    """Run a down file, and take the row of what it undoes from the ledger, in one transaction."""
    number = script.migration.number
    run_whole(
        work,
        script,
        lambda: ledger.end_undo(work.connection, script, work.author),
        lambda numbers: number not in numbers,
    )


def _apply_whole(work: Work, script: Script) -> None:
    number = script.migration.number
    run_whole(
        work,
        script,
        lambda: ledger.end_file(work.connection, script, work.author, _place(work)),
        lambda numbers: number in numbers,
    )


def _place(work: Work) -> str | None:
    """Return the place in the WAL before the next file: once as the last one told, else asked."""
    place, work.place = work.place, None
    return place or ledger.read_place(work.connection)


def run_whole(
    work: Work,
    script: Script,
    end: Callable[[], bytes],
    landed: Callable[[Collection[int]], bool],
) -> None:
    """Run a file and its ledger row in one transaction, again while others are in the way.

    ``landed`` tells from the numbers in the ledger whether it was committed.
    """
    before = ledger.begin_file(work.connection, script, work.lock_timeout)
    body = script.migration.text.encode() + b"\n;\n" + _verification(work, script)
    for attempt in itertools.count():
        work.lock.check()
        sent = work.send(before + body + end())
        if sent.error is None:
            work.place = sent.value
            return
        if sent.lost:
            if landed(_numbers_after_loss(work, script, attempt)):
                return
            continue
        work.connection.rollback()
        _retry_or_raise(work, script, sent, attempt, len(before))


def _verification(work: Work, script: Script) -> bytes:
    """Write the SQL that fails unless every query of the file returns true."""
    return b"".join(verified(query).as_bytes(work.connection) for query in script.headers.verifies)


def verified(query: str) -> sql.Composed:
    """Write the SQL that fails unless a query returns true, inside a transaction."""
    raised = "RAISE EXCEPTION 'it is not true' USING ERRCODE = 'assert_failure'"
    body = f"BEGIN IF ({query}\n) IS NOT TRUE THEN {raised}; END IF; END"
    return sql.SQL(QUERIES["migration_verify"]).format(body=sql.Literal(body)) + sql.SQL("\n")


def _retry_or_raise(work: Work, script: Script, sent: Sent, attempt: int, before: int) -> None:
    """Wait for another attempt where that can help; raise otherwise."""
    index = sent.done - PREAMBLE_STATEMENTS
    if sent.error is None:
        return
    if not sent.in_the_way:
        beyond = index - len(script.statements)
        if 0 <= beyond < len(script.headers.verifies) * VERIFY_STATEMENTS:
            raise verification_error(script, beyond, sent.error, ROLLED_BACK)
        raise statement_error(script, index, sent.error, ROLLED_BACK, before=before)
    if attempt + 1 >= work.attempts:
        raise in_the_way(script, index, sent.error, ROLLED_BACK, work.attempts)
    work.pause(attempt, f"{script.migration.name}: another session is in the way")


def _numbers_after_loss(work: Work, script: Script, attempt: int) -> set[int]:
    """Come back after a lost connection and return the numbers of the ledger."""
    left = "It is not known here whether it was committed; the files before it stay applied."
    come_back(work, script, attempt, left)
    return {entry.number for entry in ledger.read_ledger(work.connection).entries}


def _apply_statements(work: Work, script: Script, between: Callable[[Connection], None]) -> None:
    """Run a file statement by statement, or batch by batch, from where an earlier run stopped."""
    crashed = script.pending.begun is not None and script.pending.begun.state == RUNNING
    prepare(work, script, script.begun)
    if script.headers.batch is not None:
        _apply_batches(work, script, between)
    else:
        must(work, script, ledger.begun(work.connection, script, work.author))
        for index in range(script.begun, len(script.statements)):
            _apply_statement(work, script, index, crashed=crashed and index == script.begun)
    _verify_statements(work, script)
    done = ledger.close_file(work.connection, script, DONE)
    must(work, script, done + ledger.reset(work.connection))


def _apply_batches(work: Work, script: Script, between: Callable[[Connection], None]) -> None:
    from tasks import backfill  # noqa: PLC0415  # it needs the grammar

    backfill.check(work, script)
    must(work, script, ledger.begun(work.connection, script, work.author))
    backfill.fill(work, script, between)


def _verify_statements(work: Work, script: Script) -> None:
    """Let a file that ran statement by statement prove what it did; it is not done before."""
    if not script.headers.verifies:
        return
    begin = query("migration_begin_statement", work)
    sent = work.send(begin + b"\n" + _verification(work, script) + b"COMMIT;")
    if sent.lost:
        raise connection_lost(script, "Every statement of it is applied, and recorded.")
    if sent.error is not None:
        work.connection.rollback()
        must(work, script, ledger.close_file(work.connection, script, FAILED))
        left = "Every statement of it is applied, and recorded; the file is not done."
        raise verification_error(script, sent.done - 1, sent.error, left)


def _apply_statement(work: Work, script: Script, index: int, *, crashed: bool) -> None:
    for attempt in itertools.count():
        work.lock.check()
        sent = _try_statement(work, script, index, crashed=crashed)
        if sent.error is None:
            return
        if sent.lost:
            if _done_before_loss(work, script, index, attempt):
                return
            crashed = True
            continue
        work.connection.rollback()
        left = f"{index} of its {len(script.statements)} statements are applied, and recorded."
        if not sent.in_the_way:
            must(work, script, ledger.close_file(work.connection, script, FAILED))
            raise statement_error(script, index, sent.error, left)
        if attempt + 1 >= work.attempts:
            must(work, script, ledger.close_file(work.connection, script, FAILED))
            raise in_the_way(script, index, sent.error, left, work.attempts)
        work.pause(attempt, f"{script.migration.name}: another session is in the way")


def _done_before_loss(work: Work, script: Script, index: int, attempt: int) -> bool:
    """Come back after a lost connection; tell whether the ledger has the statement as done."""
    left = f"{index} of its {len(script.statements)} statements are recorded as applied."
    come_back(work, script, attempt, left)
    for entry in ledger.read_ledger(work.connection).entries:
        if entry.number == script.migration.number and entry.statements_done > index:
            prepare(work, script, index + 1)
            return True
    prepare(work, script, index)
    return False


def _try_statement(work: Work, script: Script, index: int, *, crashed: bool) -> Sent:
    """Run one statement once, with its progress in the same transaction where that can be.

    Where it cannot, a crash between the two makes the statement run again: at least once.
    """
    statement = script.statements[index]
    digest = digest_of(script.statements[: index + 1])
    done = ledger.progress(work.connection, script, index + 1, digest)
    begin = query("migration_begin_statement", work)
    if not statement.traits.alone:
        return work.send(begin + b"\n" + statement.text.encode() + b"\n;\n" + done)
    sent = _run_alone(work, script, statement, crashed=crashed)
    if sent.error is not None:
        return sent
    return work.send(begin + b"\n" + done)


def _run_alone(work: Work, script: Script, statement: Statement, *, crashed: bool) -> Sent:
    unlimited = statement.traits.concurrent and script.headers.lock_timeout_ms is None
    text = still_to_do(work, statement, crashed=crashed)
    if text is None:
        return Sent(0)
    if unlimited:
        must(work, script, query("migration_no_lock_limit", work))
    sent = work.send(text)
    if unlimited and not sent.lost:
        limit = ledger.milliseconds(script, work.lock_timeout)
        limited = sql.SQL(QUERIES["migration_lock_limit"]).format(lock_timeout=sql.Literal(limit))
        must(work, script, limited.as_bytes(work.connection))
    return sent
