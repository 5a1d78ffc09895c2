"""What is told of each statement before it runs."""

from pathlib import Path

import pytest

from haven.migrations.files import Migration
from haven.migrations.forecast import Forecast, TakenLock, sentences
from haven.migrations.impact.foresee import Size, foresee
from haven.migrations.impact.locks import Lock
from haven.migrations.lint.linter import judge
from haven.migrations.plan import Pending
from haven.migrations.script import read_script

VISITS = ("", "visits")
BEFORE = "CREATE TABLE visits (id bigint, note text);"


def foreseen(text, sizes=None, lock_timeout=2.0):
    script = read_script(Pending(Migration(2, "02_case.sql", Path(), text, ""), ""))
    judged = judge([Migration(1, "01_before.sql", Path(), BEFORE, "")], [script])
    findings = [finding for item in judged for finding in item.found]
    headers = {"02_case.sql": script.headers}
    return foresee(judged, findings, headers, sizes or {}, lock_timeout)


def told(text, sizes=None):
    return sentences(foreseen(text, sizes))


TEXTS = {
    "column": (
        "ALTER TABLE visits ADD COLUMN n bigint;",
        (
            "02_case.sql:1 ALTER TABLE visits ADD COLUMN n bigint: ACCESS EXCLUSIVE on visits "
            "(2.0 GiB, about 3,000,000 rows), keeps out reads and writes; waits at most 2 s for a lock"
        ),
    ),
    "hazard, and limits of the file": (
        (
            "-- haven: lock-timeout 500ms\n-- haven: statement-timeout 10min\n"
            "CREATE INDEX i ON visits (note);"
        ),
        (
            "02_case.sql:3 CREATE INDEX i ON visits (note): builds an index; SHARE on visits "
            "(2.0 GiB, about 3,000,000 rows), keeps out writes; waits at most 0.5 s for a lock; "
            "runs at most 600 s; accepted: index-blocks-writes"
        ),
    ),
    "concurrently": (
        "-- haven: non-transactional\nCREATE INDEX CONCURRENTLY i ON visits (note);",
        (
            "02_case.sql:2 CREATE INDEX CONCURRENTLY i ON visits (note): builds an index; "
            "SHARE UPDATE EXCLUSIVE on visits (2.0 GiB, about 3,000,000 rows); "
            "waits without limit for a lock"
        ),
    ),
    "concurrently, with a limit": (
        (
            "-- haven: non-transactional\n-- haven: lock-timeout 1h\n"
            "DROP INDEX CONCURRENTLY visits_note;"
        ),
        (
            "02_case.sql:3 DROP INDEX CONCURRENTLY visits_note: "
            "SHARE UPDATE EXCLUSIVE on visits_note; waits at most 3600 s for a lock"
        ),
    ),
    "what is not there": (
        "ALTER TABLE other.t DROP COLUMN a;",
        (
            "02_case.sql:1 ALTER TABLE other.t DROP COLUMN a: ACCESS EXCLUSIVE on other.t, "
            "keeps out reads and writes; waits at most 2 s for a lock; accepted: drop-loses-data"
        ),
    ),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_statement_is_told_on_a_line(text, expected):
    assert told(text, {VISITS: Size(2 * 2**30, 3_000_000)}) == [expected]


def test_what_nobody_counted_is_not_told():
    (item,) = foreseen("ALTER TABLE visits ADD n int;", {VISITS: Size(8192, -1)})
    lock = TakenLock("visits", "ACCESS EXCLUSIVE", "reads and writes", 8192, None)
    assert item.locks == (lock,)
    assert "(8.0 KiB)" in item.text


def test_statements_that_meet_nothing_in_use_share_a_line():
    new = "CREATE TABLE t (a bigint); CREATE INDEX i ON t (a); COMMENT ON TABLE t IS 'x';"
    assert told(new) == ["3 statements meet nothing that is in use"]
    assert told(new + "DROP VIEW v;")[1:] == ["3 statements meet nothing that is in use"]
    assert told("CREATE TABLE t (a bigint);") == ["1 statement meets nothing that is in use"]


def test_a_literal_is_not_told():
    (text,) = told("ALTER TABLE visits ALTER COLUMN note SET DEFAULT 'secret';")
    assert "secret" not in text
    assert "secret" not in repr(foreseen("ALTER TABLE visits ALTER note SET DEFAULT 'secret';"))


@pytest.mark.parametrize("lock", Lock)
def test_whom_a_lock_keeps_out(lock):
    # PostgreSQL, Explicit Locking: reads take ACCESS SHARE, writes ROW EXCLUSIVE.
    conflicts = {
        "reads and writes": {Lock.ACCESS_EXCLUSIVE},
        "writes": {Lock.SHARE, Lock.SHARE_ROW_EXCLUSIVE, Lock.EXCLUSIVE},
        "": {Lock.ACCESS_SHARE, Lock.ROW_SHARE, Lock.ROW_EXCLUSIVE, Lock.SHARE_UPDATE_EXCLUSIVE},
    }
    assert lock in conflicts[lock.keeps_out]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (3 * 2**40, "3.0 TiB")],
)
def test_sizes_have_units(size, text):
    lock = TakenLock("t", "SHARE", "", size, None)
    assert f"t ({text})" in Forecast("f", 1, "s", (lock,), "", (), None, None).text
