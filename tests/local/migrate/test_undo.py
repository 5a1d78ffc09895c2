"""What was applied is undone by its down files: whole, in order, and kept in the history."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from haven.errors import Failed, InvalidRequest, Refused
from tasks.migration_undo import undo_migrations
from tests.local.migrate.conftest import PROJECT, Place, fresh_database

pytestmark = pytest.mark.local

ONE = "CREATE TABLE public.one (id bigint PRIMARY KEY, n text);"
TWO = "CREATE TABLE public.two (id bigint PRIMARY KEY);"
ACCEPTS = "-- haven: accepts drop-loses-data: a test\n"
NO_TWO = ACCEPTS + "DROP TABLE public.two;"
NO_ONE = ACCEPTS + "DROP TABLE public.one;"

UNDO = """
import json, sys
from pathlib import Path
from haven.pg import Login
from tasks.ledger import Author
from tasks.migration_undo import undo_migrations
from tasks.migration_work import Terms
login, folder = json.loads(sys.argv[1])
login = Login(**login | {"ca_bundle": Path(login["ca_bundle"])})
undo_migrations(Terms(login, Author("killed", "0"), 2, 3, lambda _: None), Path(folder), 0)
"""


def digest(place):
    return place.ask(
        "SELECT catalogue_digest FROM haven_ops.migrations ORDER BY number DESC LIMIT 1"
    )


@pytest.fixture
def two(place):
    place.write("01_one.sql", ONE)
    place.run()
    place.write("02_two.sql", TWO)
    place.write("02_two.down.sql", NO_TWO)
    return place


def test_up_and_down_return_the_digest_and_keep_the_history(two):
    before = digest(two)
    two.run()
    assert digest(two) != before
    assert two.undo(1, dry_run=True) == ("02_two.down.sql",)
    assert two.ask("SELECT to_regclass('two') IS NOT NULL") == [(True,)]
    assert two.undo(1) == ("02_two.down.sql",)
    assert digest(two) == before
    assert [row[1] for row in two.ledger()] == ["01_one.sql"]
    told = two.ask("SELECT event, number, reason, before ->> 'name', who FROM haven_ops.history")
    assert told == [("undone", 2, "by 02_two.down.sql", "02_two.sql", "a test")]
    assert two.undo(1) == ()
    assert two.run().applied == ("02_two.sql",)


UNFIT = NO_TWO + "CREATE TYPE public.mood AS ENUM ();"


@pytest.mark.parametrize(
    ("down", "unlike"), [(NO_TWO, ""), (UNFIT, "01_one.sql")], ids=["fits", "does not"]
)
def test_a_down_file_that_leaves_something_is_told(two, down, unlike):
    two.write("02_two.down.sql", down)
    two.run()
    assert undo_migrations(two.terms, two.folder, 1).unlike == unlike


def test_what_was_accepted_meanwhile_is_not_held_against_a_down_file(two):
    two.run()
    with two.connect("haven_migrator") as connection:
        connection.execute("SET ROLE haven_owner; ALTER TABLE public.one ADD COLUMN more text")
    mark = two.run(dry_run=True).drift.mark
    assert undo_migrations(two.terms, two.folder, 1, accept_drift=mark).unlike == ""


def test_all_is_undone_newest_first_and_applied_again(two):
    two.write("01_one.down.sql", NO_ONE)
    two.run()
    assert two.undo(0) == ("02_two.down.sql", "01_one.down.sql")
    assert two.ledger() == []
    assert two.run().applied == ("01_one.sql", "02_two.sql")


def test_a_missing_down_file_is_refused_before_anything_runs(two):
    two.write("03_three.sql", "CREATE TABLE public.three (id bigint PRIMARY KEY);")
    two.run()
    with pytest.raises(Refused, match=r"missing: 03_three\.down\.sql, 01_one\.down\.sql"):
        two.undo(0)
    assert len(two.ledger()) == 3


@pytest.mark.parametrize(
    ("down", "hazard"),
    [
        ("DROP TABLE public.two;", "drop-loses-data"),
        ("ALTER TABLE public.one DROP COLUMN n;", "drop-loses-data"),
        ("DROP TYPE public.mood;", "drop-breaks"),
        ("TRUNCATE public.one;", "truncate-loses-data"),
        ("DELETE FROM public.one;", "truncate-loses-data"),
        ("DELETE FROM public.one WHERE id > 1;", "undo-deletes"),
    ],
)
def test_a_lossy_down_file_is_refused_unless_it_accepts_that(two, down, hazard):
    two.write("02_two.sql", TWO + "CREATE TYPE public.mood AS ENUM ('glad');")
    two.write("02_two.down.sql", down)
    two.run()
    with pytest.raises(Refused, match=hazard):
        two.undo(1)
    assert len(two.ledger()) == 2
    two.write("02_two.down.sql", f"-- haven: accepts {hazard}: a test\n{down}")
    assert two.undo(1) == ("02_two.down.sql",)


def test_a_down_file_that_fails_leaves_all_as_it_was(two):
    two.write("02_two.down.sql", NO_TWO + "SELECT 1/0;")
    two.run()
    before = digest(two)
    with pytest.raises(Failed, match=r"02_two\.down\.sql:2: 'SELECT 1/0'"):
        two.undo(1)
    assert len(two.ledger()) == 2
    assert digest(two) == before


def test_a_down_file_may_prove_what_it_did(two):
    proof = "-- haven: verify SELECT to_regclass('public.two') IS NOT NULL\n"
    two.write("02_two.down.sql", proof + NO_TWO)
    two.run()
    with pytest.raises(Failed, match="what it is to prove does not hold"):
        two.undo(1)
    assert two.ask("SELECT to_regclass('two') IS NOT NULL") == [(True,)]


def test_what_changed_outside_stops_an_undo(two):
    two.run()
    with two.connect("haven_migrator") as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute("CREATE INDEX odd ON public.two (id)")
    with pytest.raises(Refused, match=r"index public\.odd was added"):
        two.undo(1)


def test_a_number_that_the_database_has_not_reached_is_refused(two):
    with pytest.raises(Refused, match="The database is at number 1"):
        two.undo(2)
    two.write("03_three.down.sql", NO_TWO)
    with pytest.raises(InvalidRequest, match="would undo a file that is not there"):
        two.undo(0)


def test_a_killed_undo_goes_on(two):
    slow = NO_ONE + "SELECT pg_sleep(30);"
    two.write("01_one.down.sql", slow)
    two.run()
    login = {
        name: str(getattr(two.login, name)) if name == "ca_bundle" else getattr(two.login, name)
        for name in ("host", "port", "database", "user", "password", "ca_bundle")
    }
    given_ = json.dumps([login, str(two.folder)])
    runner = subprocess.Popen([sys.executable, "-c", UNDO, given_], cwd=PROJECT)  # noqa: S603
    two.until_runs("pg_sleep")
    runner.kill()
    runner.wait()
    assert [row[1] for row in two.ledger()] == ["01_one.sql"]
    two.write("01_one.down.sql", slow.replace("30", "0"))
    assert two.undo(0) == ("01_one.down.sql",)
    assert two.ledger() == []


# Each with what undoes it; none depends on another one, so they go in any order.
PAIRS = [
    ("ALTER TABLE one ADD a{n} int DEFAULT {n};", "ALTER TABLE one DROP a{n};", "drop-loses-data"),
    ("CREATE TABLE t{n} (id bigint PRIMARY KEY);", "DROP TABLE t{n};", "drop-loses-data"),
    ("CREATE VIEW v{n} AS SELECT id FROM one;", "DROP VIEW v{n};", "drop-breaks"),
    ("CREATE TYPE e{n} AS ENUM ('a', 'b');", "DROP TYPE e{n};", "drop-breaks"),
    (
        "CREATE FUNCTION f{n}(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "DROP FUNCTION f{n}(int);",
        "drop-breaks",
    ),
    ("CREATE SCHEMA s{n};", "DROP SCHEMA s{n};", "drop-loses-data"),
    ("COMMENT ON COLUMN one.n IS '{n}';", "COMMENT ON COLUMN one.n IS NULL;", ""),
    ("GRANT SELECT ON one TO pg_monitor;", "REVOKE SELECT ON one FROM pg_monitor;", ""),
    (
        "ALTER TABLE one ALTER n SET DEFAULT '{n}';",
        "ALTER TABLE one ALTER n DROP DEFAULT;",
        "ban-drop-default",
    ),
]


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(picks=st.lists(st.sampled_from(PAIRS), min_size=1, max_size=5, unique=True), data=st.data())
def test_any_files_up_and_down_again_return_the_digest(migration_server, tmp_path, picks, data):
    for old in tmp_path.glob("*.sql"):
        old.unlink()
    to = data.draw(st.integers(1, len(picks)))
    with fresh_database(migration_server.login) as login:
        place = Place(login, tmp_path, "")
        place.write("01_one.sql", ONE)
        place.run()
        digests = [digest(place)]
        for number, (up, down, hazard) in enumerate(picks, start=2):
            head = f"-- haven: accepts {hazard}: a test\n" if hazard else ""
            place.write(f"{number:02}_t.sql", up.format(n=number))
            place.write(f"{number:02}_t.down.sql", head + down.format(n=number))
            place.run()
            digests.append(digest(place))
        place.undo(to)
        assert digest(place) == digests[to - 1]
        place.run()
        assert digest(place) == digests[-1]
