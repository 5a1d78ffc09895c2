"""The migration runner against a real server."""

import json
import re
import time
from collections import Counter
from dataclasses import replace

import pytest

from haven.errors import Conflict, Failed, InvalidRequest, Refused, Unavailable
from tasks.migrations import migrate_database

TWO = "INSERT INTO one VALUES (2);\n"
pytestmark = pytest.mark.local

ONE = "CREATE TABLE public.one (id bigint PRIMARY KEY);\nINSERT INTO public.one VALUES (1);\n"


def test_files_are_applied_in_order_and_recorded(place):
    place.write("01_one.sql", ONE)
    place.write("02_two.sql", "-- a comment at the end\nALTER TABLE public.one ADD n text; -- end")
    result = place.run()
    assert (result.applied, result.already, result.statements) == (
        ("01_one.sql", "02_two.sql"),
        0,
        3,
    )
    assert place.ledger() == [(1, "01_one.sql", "done", 2, 2), (2, "02_two.sql", "done", 1, 1)]
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'one'"
    assert place.ask(owner) == [("haven_owner",)]
    uncommented = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'haven_ops.migrations'::regclass "
        "AND attnum > 0 AND col_description(attrelid, attnum) IS NULL"
    )
    assert place.ask(uncommented) == []


WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|CREATE|COMMENT|ALTER|BEGIN|pg_try_advisory_lock)\b")


def test_a_second_run_writes_nothing_and_asks_as_little_for_many_files(place):
    asked = []
    for count in (2, 40):
        for number in range(1, count + 1):
            place.write(f"{number:04}_t.sql", f"CREATE TABLE IF NOT EXISTS t{number} (id int);")
        place.run()
        before = statements_so_far(place)
        assert place.run().already == count
        asked.append(statements_so_far(place) - before)
    assert asked[0] == asked[1]
    assert 2 <= asked[0].total() <= 4
    assert not [query for query in asked[0] if WRITES.search(query)]


def statements_so_far(place):
    """What the server has seen of the migrator in this database, and how often."""
    with place.connect() as master:
        master.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        return Counter(
            dict(
                master.execute(
                    "SELECT query, sum(calls)::int FROM pg_stat_statements WHERE userid IN "
                    "('haven_owner'::regrole, 'haven_migrator'::regrole) AND dbid = "
                    "(SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1"
                )
            )
        )


def test_a_dry_run_touches_nothing(place):
    place.write("01_one.sql", ONE)
    before = statements_so_far(place)
    result = place.run(dry_run=True)
    assert (result.applied, result.pending, result.statements) == ((), ("01_one.sql",), 2)
    asked = statements_so_far(place) - before
    assert asked
    assert not [query for query in asked if WRITES.search(query)]
    assert place.ask("SELECT to_regnamespace('haven_ops')") == [(None,)]


def test_an_edited_applied_file_is_refused(place):
    place.write("01_one.sql", ONE)
    place.run()
    place.write("01_one.sql", ONE + "-- just a comment")
    place.write("02_two.sql", "CREATE TABLE two (id int);")
    with pytest.raises(Refused, match=r"01_one\.sql: it was edited after it was applied"):
        place.run()
    assert place.ask("SELECT to_regclass('two')") == [(None,)]


def test_a_bad_file_stops_the_run_before_the_good_ones(place):
    place.write("01_one.sql", ONE)
    place.write("02_two.sql", "CREATE TABLE two (id int);\nCOMMIT;")
    with pytest.raises(InvalidRequest, match=r"02_two\.sql:2: it begins or ends"):
        place.run()
    assert place.ask("SELECT to_regclass('one'), to_regnamespace('haven_ops')") == [(None, None)]


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (
            "SELECT 1;\n\nSELECT 1,\n nothing;",
            ["02_x.sql:4: 'SELECT 1,', in the statement of line 3"],
        ),
        ("SELECT 1;\n\nCOMMENT ON TABLE nothing IS '';", ["02_x.sql:3: 'COMMENT ON", "42P01"]),
        ("SELECT 'é';\nSELECT 'secret'::int;", ["02_x.sql:2", "InvalidTextRep", "22P02"]),
        ("SELECT 1/0;", ["02_x.sql:1: 'SELECT 1/0'", "22012"]),
        (
            "CREATE TABLE y (a int UNIQUE DEFERRABLE INITIALLY DEFERRED);INSERT INTO y VALUES (7), (7);",
            ["02_x.sql: the COMMIT of the file", "23505"],
        ),
        ("-- haven: statement-timeout 50ms\nSELECT pg_sleep(9);", ["02_x.sql:2", "57014"]),
    ],
)
def test_a_failing_statement_is_named_and_leaves_nothing(place, text, fragments):
    place.write("01_one.sql", ONE)
    place.write("02_x.sql", "CREATE TABLE x (id int); " + text if "--" not in text else text)
    with pytest.raises(Failed) as caught:
        place.run()
    assert [part for part in fragments if part not in str(caught.value)] == []
    assert "secret" not in str(caught.value)
    assert len(place.ledger()) == 1
    assert place.ask("SELECT to_regclass('x')") == [(None,)]


def test_settings_and_roles_of_a_file_do_not_reach_the_next(place):
    place.write(
        "01_one.sql",
        "-- haven: accepts owner-changed: a test\nSET search_path = pg_catalog; SET work_mem = '64MB'; RESET ROLE;",
    )
    place.write("02_two.sql", "CREATE TABLE made AS SELECT current_setting('work_mem') AS m;")
    place.run()
    assert place.ask(
        "SELECT m <> '64MB', tableowner FROM public.made, pg_tables WHERE tablename = 'made'"
    ) == [(True, "haven_owner")]


@pytest.mark.parametrize(
    "setting",
    ["default_transaction_read_only = on", "default_transaction_isolation = serializable"],
)
def test_a_file_does_not_decide_how_the_next_transaction_begins(place, setting):
    place.write("01_one.sql", f"SET {setting};")
    place.write(
        "02_two.sql",
        "CREATE TABLE begun AS SELECT current_setting('transaction_isolation') AS level;",
    )
    place.run()
    assert place.ask("SELECT level FROM public.begun") == [("read committed",)]


def test_two_at_once_one_works_the_other_names_it(place):
    place.write("01_slow.sql", "SELECT pg_sleep(1.5); CREATE TABLE slow (id int);")
    first = place.spawn("the first runner")
    place.until_runs("pg_sleep")
    begin = time.monotonic()
    with pytest.raises(Conflict, match=r"haven migrate the first runner \(server process \d+, "):
        place.run()
    assert time.monotonic() - begin < 2
    assert json.loads(first.communicate(timeout=30)[0]) == ["applied", ["01_slow.sql"]]
    assert place.run().already == 1


@pytest.mark.parametrize("header", ["", "-- haven: non-transactional\n"])
def test_a_killed_runner_leaves_what_the_next_one_finishes(place, header):
    place.write("01_one.sql", ONE)
    place.write(
        "02_slow.sql",
        f"{header}CREATE TABLE two (id int);\nSELECT pg_sleep(30) FROM one WHERE id = 1;\n"
        "CREATE VIEW four AS SELECT 1 AS one; CREATE TABLE three (id int);",
    )
    runner = place.spawn()
    place.until_runs("pg_sleep")
    runner.kill()
    runner.communicate()
    place.write("02_slow.sql", (place.folder / "02_slow.sql").read_text().replace("30", "0"))
    result = place.run()
    assert result.applied == ("02_slow.sql",)
    assert [row[2:] for row in place.ledger()] == [("done", 2, 2), ("done", 4, 4)]


def test_a_lock_in_the_way_is_waited_for_with_the_whole_file_again(place):
    place.write("01_one.sql", ONE)
    place.run()
    place.write("02_two.sql", "CREATE TABLE two (id int);\nALTER TABLE one ADD n text;")
    with place.connect("haven_migrator") as other:
        other.execute("SET ROLE haven_owner")
        other.execute("BEGIN; LOCK TABLE one IN SHARE MODE")
        with pytest.raises(Unavailable, match=r"02_two\.sql:2: 'ALTER TABLE one .* 2 attempts"):
            place.run(attempts=2)
        place.said.clear()

        def let_go(message):
            place.said.append(message)
            if "in the way" in message:
                other.execute("ROLLBACK")

        result = migrate_database(replace(place.terms, progress=let_go), place.folder)
    assert result.applied == ("02_two.sql",)
    assert "another session is in the way" in place.said[0]


def test_a_non_transactional_file_resumes_at_the_statement_that_failed(place):
    place.write("01_one.sql", ONE)
    text = (
        "-- haven: non-transactional\nSET search_path = public;\n"
        "CREATE INDEX CONCURRENTLY one_a ON one (id);\n"
        "CREATE UNIQUE INDEX CONCURRENTLY one_b ON one ((1));\nVACUUM one;"
    )
    place.write("02_index.sql", text)
    place.write("03_more.sql", "CREATE TABLE three (id int);")
    place.write("01_one.sql", ONE + TWO)
    with pytest.raises(Failed, match=r"02_index\.sql:4: 'CREATE UNIQUE .* failed: .*23505"):
        place.run()
    assert place.ledger()[1] == (2, "02_index.sql", "failed", 4, 2)
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert place.ask(invalid) == [(1,)]
    place.ask("DELETE FROM one WHERE id = 2 RETURNING 1")
    assert place.run().applied == ("02_index.sql", "03_more.sql")
    assert place.ask(invalid) == [(0,)]
    assert place.ledger()[1] == (2, "02_index.sql", "done", 4, 4)


@pytest.mark.parametrize("made", ["CREATE INDEX CONCURRENTLY one_a ON one (id)", "SELECT 1"])
def test_an_index_made_just_before_a_crash_is_not_made_again(place, made):
    place.write("01_one.sql", ONE)
    place.run()
    place.write(
        "02_index.sql", "-- haven: non-transactional\nCREATE INDEX CONCURRENTLY one_a ON one (id);"
    )
    place.ask(
        "INSERT INTO haven_ops.migrations (number, name, checksum, chained_checksum, statements, "
        "statements_done, done_digest, who, tool_version, started_at, state) VALUES "
        "(2, '02_index.sql', 'c', 'c', 1, 0, '', 'w', 't', now(), 'running') RETURNING 1"
    )
    with place.connect("haven_migrator") as crashed:
        crashed.execute("SET ROLE haven_owner")
        crashed.execute(made)
    assert place.run().applied == ("02_index.sql",)
    assert place.ask("SELECT count(*) FROM pg_indexes WHERE indexname = 'one_a'") == [(1,)]


@pytest.mark.parametrize("header", ["", "-- haven: non-transactional\n"])
def test_a_session_that_the_server_ends_is_opened_again(place, header):
    place.write("01_one.sql", ONE)
    place.write(
        "02_slow.sql",
        f"{header}CREATE TABLE two (id int);\nSELECT pg_sleep(1);\nCREATE TABLE three (id int);",
    )
    runner = place.spawn()
    place.until_runs("pg_sleep")
    place.until(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s "
        "AND state = 'active' AND query LIKE '%%pg_sleep%%' AND pid <> pg_backend_pid() "
        "AND usename = 'haven_migrator'",
        place.login.database,
    )
    assert json.loads(runner.communicate(timeout=30)[0]) == [
        "applied",
        ["01_one.sql", "02_slow.sql"],
    ]
    assert [row[2:] for row in place.ledger()] == [("done", 2, 2), ("done", 3, 3)]


def test_a_lost_lock_ends_the_run(place):
    place.write("01_slow.sql", "SELECT pg_sleep(1);")
    place.write("02_two.sql", "CREATE TABLE two (id int);")
    runner = place.spawn("unlucky")
    place.until_runs("pg_sleep")
    place.until(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'haven migrate unlucky' AND datname = %s",
        place.login.database,
    )
    kind, message = json.loads(runner.communicate(timeout=30)[0])
    assert kind == "Unavailable"
    assert "the migration lock was lost" in message
    assert [row[1] for row in place.ledger()] == ["01_slow.sql"]
    assert place.run().applied == ("02_two.sql",)


def test_a_login_that_may_not_act_as_owner_is_refused(place):
    with place.connect() as master:
        master.execute("DROP ROLE IF EXISTS stranger")
        master.execute("CREATE ROLE stranger LOGIN PASSWORD 'Correct-Horse-1'")
    place.write("01_one.sql", ONE)
    stranger = replace(place.login, user="stranger")
    with pytest.raises(InvalidRequest, match=r"stranger@.* cannot act as haven_owner"):
        migrate_database(replace(place.terms, login=stranger), place.folder, dry_run=True)


def test_a_server_that_restarts_in_the_middle_of_a_file(place, migration_server):
    place.write("01_one.sql", ONE)
    place.write("02_slow.sql", "CREATE TABLE two (id int);\nSELECT pg_sleep(20) FROM one;")
    runner = place.spawn()
    place.until_runs("pg_sleep")
    migration_server.reboot()
    kind, message = json.loads(runner.communicate(timeout=60)[0])
    assert kind == "Unavailable"
    assert "run the same command again" in message.lower()
    place.write("02_slow.sql", "CREATE TABLE two (id int);\nSELECT pg_sleep(0) FROM one;")
    assert place.run().applied == ("02_slow.sql",)


def test_an_index_cut_off_by_a_kill_is_dropped_and_built_again(place):
    place.write("01_one.sql", ONE)
    place.run()
    place.write(
        "02_index.sql",
        "-- haven: non-transactional\nCREATE INDEX CONCURRENTLY IF NOT EXISTS one_a ON one (id);",
    )
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    with place.connect("haven_migrator") as reader:
        reader.execute("SET ROLE haven_owner")
        reader.execute("BEGIN; LOCK TABLE one IN ROW EXCLUSIVE MODE")
        runner = place.spawn()
        place.until(invalid.replace("count(*)", "count(*) > 0"))
        runner.kill()
        runner.communicate()
        reader.execute("ROLLBACK")
    assert place.run().applied == ("02_index.sql",)
    assert place.ask(invalid) == [(0,)]
    assert place.ask("SELECT count(*) FROM pg_indexes WHERE indexname = 'one_a'") == [(1,)]
