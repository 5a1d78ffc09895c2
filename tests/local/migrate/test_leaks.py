"""Every file begins with the session as new: what one leaves behind does not reach the next."""

import pytest

from haven.errors import Unavailable

pytestmark = pytest.mark.local

LEAKS = [
    ("SET default_transaction_read_only = on;", "CREATE TABLE made AS SELECT true AS v;", "v"),
    (
        "SET default_transaction_isolation = 'serializable';",
        "CREATE TABLE made AS SELECT current_setting('transaction_isolation') AS v;",
        "v = 'read committed'",
    ),
    (
        "SELECT set_config('client_encoding', 'LATIN1', false);",
        "CREATE TABLE made AS SELECT 'caf\u00e9'::text AS v;",
        "length(v) = 4",
    ),
    (
        "SELECT set_config('standard_conforming_strings', 'off', false);",
        r"CREATE TABLE made AS SELECT 'a\b'::text AS v;",
        "length(v) = 3",
    ),
    (
        "-- haven: accepts temporary-table: a test\nCREATE TEMP TABLE kept (id int);",
        "CREATE TABLE made AS SELECT to_regclass('kept') IS NULL AS v;",
        "v",
    ),
    (
        "PREPARE p AS SELECT 1;",
        "CREATE TABLE made AS SELECT count(*) AS n FROM pg_prepared_statements;",
        "n = 0",
    ),
    (
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1;",
        "CREATE TABLE made AS SELECT count(*) AS n FROM pg_cursors WHERE name = 'c';",
        "n = 0",
    ),
    (
        "LISTEN news;",
        "CREATE TABLE made AS SELECT count(*) AS n FROM pg_listening_channels();",
        "n = 0",
    ),
    (
        "SELECT pg_advisory_lock(7);",
        (
            "CREATE TABLE made AS SELECT count(*) AS n FROM pg_locks "
            "WHERE locktype = 'advisory' AND classid = 0 AND objid = 7 "
            "AND pid = pg_backend_pid();"
        ),
        "n = 0",
    ),
    (
        "SELECT pg_advisory_unlock_all();",
        (
            "CREATE TABLE made AS SELECT count(*) AS n FROM pg_locks "
            "WHERE locktype = 'advisory' AND pid = pg_backend_pid();"
        ),
        "n = 1",
    ),
    (
        "CREATE SEQUENCE s; SELECT nextval('s');",
        (
            "CREATE TABLE made AS SELECT true AS v; DO $$ BEGIN PERFORM lastval(); RAISE 'it leaked';"
            " EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;"
        ),
        "v",
    ),
    (
        "-- haven: accepts owner-changed: a test\nSET SESSION AUTHORIZATION DEFAULT;",
        "CREATE TABLE made AS SELECT current_user::text AS v;",
        "v = 'haven_owner'",
    ),
]
NAMES = [row[0].split(";")[0][:40] for row in LEAKS]


@pytest.mark.parametrize("header", ["", "-- haven: non-transactional\n"], ids=["whole", "single"])
@pytest.mark.parametrize(("first", "second", "holds"), LEAKS, ids=NAMES)
def test_what_a_file_leaves_in_the_session_does_not_reach_the_next(
    place, header, first, second, holds
):
    place.write("01_first.sql", header + first)
    place.write("02_second.sql", second)
    place.run()
    assert place.ask(f"SELECT count(*) FROM public.made WHERE {holds}") == [(1,)]  # noqa: S608


def test_an_attempt_that_met_a_lock_leaves_nothing_for_the_next_attempt(place):
    place.write("01_one.sql", "CREATE TABLE one (id int);")
    place.run()
    place.write("02_two.sql", "PREPARE p AS SELECT 1; ALTER TABLE one ADD n int;")
    with place.connect("haven_migrator") as other:
        other.execute("SET ROLE haven_owner")
        other.execute("BEGIN; LOCK TABLE one")
        with pytest.raises(Unavailable, match="at each of 2 attempts"):
            place.run(attempts=2)
