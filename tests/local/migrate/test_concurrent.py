"""What is done CONCURRENTLY and cut off by a kill is finished by the next run, and leaves nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.local.migrate.conftest import Place

pytestmark = pytest.mark.local

APART = "-- haven: non-transactional\n"
ONE = """
CREATE TABLE one (id bigint PRIMARY KEY, note text);
CREATE INDEX one_note ON one (note);
CREATE TABLE parts (id bigint, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE "Old part" PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX parts_at ON parts (at);
INSERT INTO one SELECT g, g::text FROM generate_series(1, 100) AS g;
"""
INVALID = (
    "SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
    "WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace"
)
PENDING = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
ENDED = """
SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity
WHERE usename = 'haven_migrator' AND datname = %s AND query LIKE '%%CONCURRENTLY%%' AND pid <> pg_backend_pid()"""
LONG = "long_" + "name_" * 20
# What begins it, the table that somebody uses meanwhile, and what tells that it has begun.
CUT_OFF = {
    "index rebuilt": ("REINDEX INDEX CONCURRENTLY one_note", "one", INVALID),
    "table rebuilt": ("REINDEX TABLE CONCURRENTLY one", "one", INVALID),
    "part detached": (
        'ALTER TABLE parts DETACH PARTITION "Old part" CONCURRENTLY',
        "parts",
        PENDING,
    ),
    "index with a long name": (f"CREATE INDEX CONCURRENTLY {LONG} ON one (note)", "one", INVALID),
}


def head(change: str) -> str:
    return APART + ("-- haven: accepts identifier-too-long: a test\n" if LONG in change else "")


@contextlib.contextmanager
def in_use(place: Place, table: str) -> Iterator[None]:
    """Keep a transaction open that has used a table."""
    with place.connect("haven_migrator") as user:
        user.execute("SET ROLE haven_owner")
        user.execute(f"BEGIN; SELECT FROM {table}; LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        yield
        user.execute("ROLLBACK")


@pytest.mark.parametrize(("change", "table", "begun"), CUT_OFF.values(), ids=CUT_OFF)
def test_what_a_kill_cut_off_is_finished(place: Place, change: str, table: str, begun: str) -> None:
    place.write("01_one.sql", ONE)
    place.run()
    place.write("02_change.sql", f"{head(change)}{change};\nSELECT 1;")
    with in_use(place, table):
        runner = place.spawn()
        place.until(begun.replace("count(*)", "count(*) > 0"))
        runner.kill()
        runner.communicate()
        place.until(ENDED, place.login.database)
    assert place.run().applied == ("02_change.sql",)
    assert place.ask(INVALID) == [(0,)]
    assert place.ask(PENDING) == [(0,)]


@pytest.mark.parametrize("change", [row[0] for row in CUT_OFF.values()], ids=CUT_OFF)
def test_what_was_done_just_before_a_crash_is_taken_as_done(place: Place, change: str) -> None:
    place.write("01_one.sql", ONE)
    place.run()
    place.write("02_change.sql", f"{head(change)}{change};\nSELECT 1;")
    place.ask(
        "INSERT INTO haven_ops.migrations (number, name, checksum, chained_checksum, statements, "
        "statements_done, done_digest, who, tool_version, started_at, state) VALUES "
        "(2, '02_change.sql', 'c', 'c', 2, 0, '', 'w', 't', now(), 'running') RETURNING 1"
    )
    with place.connect("haven_migrator") as crashed:
        crashed.execute("SET ROLE haven_owner")
        crashed.execute(change)
    assert place.run().applied == ("02_change.sql",)
    assert place.ask(INVALID) == [(0,)]
