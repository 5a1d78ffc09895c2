"""A rehearsal on a clone: what blocks is seen to block, what is safe is not, and rows are whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from haven.errors import Failed
from haven.migrations.rehearsal import Rehearsal
from tasks.rehearsal import Clone, Wanted, rehearse
from tasks.rehearsal_choice import TIMES, Limits
from tasks.rehearsal_watch import LOAD
from tests.local.migrate.conftest import MASTER, PASSWORD, Place, Server, connect, fresh_database

pytestmark = pytest.mark.local

SCHEMA = """-- haven: accepts export-skips: hostile names are what is tested
CREATE TABLE public.people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
    size int GENERATED ALWAYS AS (length(name)) STORED);
CREATE TABLE public.visits (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person bigint NOT NULL REFERENCES public.people, before uuid REFERENCES public.visits, note text);
CREATE TABLE public.sorts (id bigint PRIMARY KEY, name text);
INSERT INTO public.sorts VALUES (1, 'one'), (2, 'two');
CREATE TABLE public."a ""b'; %s {c}" ("k"" %(x)s" text PRIMARY KEY, "'; DROP" bigint REFERENCES public.sorts);
CREATE TABLE public.events (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
ALTER TABLE public.visits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_of_them ON public.visits TO haven_reader USING (true);
GRANT SELECT ON ALL TABLES IN SCHEMA public TO haven_reader;
"""
# Visits come in chains of ten, each after another.
ROWS = (
    "INSERT INTO public.people (name) SELECT 'name ' || n FROM generate_series(1, 20000) AS n",
    "ALTER TABLE public.visits NO FORCE ROW LEVEL SECURITY",
    r"""INSERT INTO public.visits (id, person, note)
        SELECT md5(n::text)::uuid, n, E'a\t\\N\n' || n FROM generate_series(1, 20000) AS n""",
    """UPDATE public.visits SET before = md5((person - 1)::text)::uuid
        WHERE mod(person, 10) > 0 AND person > 1""",
    "ALTER TABLE public.visits FORCE ROW LEVEL SECURITY",
    "INSERT INTO public.sorts VALUES (3, 'three')",
    r"""INSERT INTO public."a ""b'; %s {c}" VALUES (E'\'\t\\x', 3), ('', NULL)""",
    """CREATE TABLE public.events_may PARTITION OF public.events
        FOR VALUES FROM ('2026-05-01') TO ('2026-06-01')""",
    "INSERT INTO public.events SELECT n, '2026-05-02' FROM generate_series(1, 100) AS n",
    "ANALYZE",
)
HOT = """-- haven: accepts index-blocks-writes: a test
CREATE INDEX visits_note ON public.visits (note);
SELECT pg_sleep(0.3);
"""
SAFE = """-- haven: non-transactional
CREATE INDEX CONCURRENTLY visits_note ON public.visits (note);
SELECT pg_sleep(0.3);
"""
LIMITS = Limits(rows=500)


@pytest.fixture
def made(place: Place) -> Place:
    """A database with rows, as its applied file and its applications made it."""
    with place.connect() as master:
        if not master.execute("SELECT FROM pg_roles WHERE rolname = 'haven_reader'").fetchall():
            master.execute(f"CREATE ROLE haven_reader LOGIN PASSWORD '{PASSWORD}'")
        master.execute("GRANT haven_owner TO CURRENT_USER")
    place.write("01_schema.sql", SCHEMA)
    place.run()
    with place.connect() as master:
        master.execute("SET ROLE haven_owner")
        for statement in ROWS:
            master.execute(statement.encode())
    return place


@pytest.fixture
def clone(migration_server: Server) -> Iterator[Clone]:
    """Another database of the same server, where the roles are already."""
    with fresh_database(migration_server.login) as login:
        with connect(login, user=MASTER) as master:
            master.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        yield Clone(replace(login, user=MASTER), login, replace(login, user=LOAD))


def rehearsed(place: Place, clone: Clone, *, limit_s: float = 2.0) -> Rehearsal:
    """Rehearse what is pending on the clone."""
    found = place.run(dry_run=True)
    terms = replace(place.terms, lock_timeout=limit_s)
    wanted = Wanted(terms, place.folder, found.already, found.pending, found.forecasts, LIMITS)
    return rehearse(replace(place.login, user="haven_reader"), clone, wanted)


def rows(clone: Clone, query: str) -> list[tuple[Any, ...]]:
    """Ask the clone, past every policy."""
    with connect(clone.master, user=MASTER) as master:
        master.execute("SET ROLE haven_owner")
        master.execute("ALTER TABLE public.visits NO FORCE ROW LEVEL SECURITY")
        return master.execute(query.encode()).fetchall()


def test_an_index_that_keeps_writers_out_is_seen_to_do_so(made: Place, clone: Clone) -> None:
    made.write("02_hot.sql", HOT)
    index, sleep = rehearsed(made, clone, limit_s=0.1).statements
    (lock,) = index.locks
    assert (lock.mode, lock.relation, lock.keeps_out) == ("SHARE", "public.visits", "writes")
    assert lock.seconds > 0.3
    assert (index.blocked, sleep.blocked) == (1, 0)
    assert index.longest_block > 0.2
    assert index.wal > 0
    assert sleep.seconds > 0.3


def test_one_that_does_not_is_not(made: Place, clone: Clone) -> None:
    made.write("02_safe.sql", SAFE)
    result = rehearsed(made, clone)
    assert [item.blocked for item in result.statements] == [0, 0]
    assert not [lock for item in result.statements for lock in item.locks if lock.keeps_out]
    assert result.too_long == ()
    assert result.load.queries > 0


def test_a_lock_beyond_the_limit_is_told(made: Place, clone: Clone) -> None:
    made.write("02_hot.sql", HOT)
    told = rehearsed(made, clone, limit_s=0.1).too_long
    assert (
        "02_hot.sql:2 CREATE INDEX visits_note ON public.visits (note): it keeps writes" in told[0]
    )
    assert "the limit is 0.1 s" in told[0]


def test_the_sample_is_bounded_whole_and_as_it_is(made: Place, clone: Clone) -> None:
    made.write("02_more.sql", "CREATE TABLE public.more (id bigint PRIMARY KEY);")
    result = rehearsed(made, clone)
    counted = {table.relation: (table.rows, table.of) for table in result.tables}
    people, visits = counted["public.people"][0], counted["public.visits"][0]
    assert 400 <= visits <= 500 * 10
    assert visits <= people <= 500 * 11
    assert counted["public.sorts"] == (3, 3)
    assert counted["public.events"] == (100, 100)
    assert counted["public.a \"b'; %s {c}"] == (2, 2)
    orphans = (
        "SELECT count(*) FILTER (WHERE p.id IS NULL),"
        " count(*) FILTER (WHERE b.id IS NULL AND v.before IS NOT NULL)"
        " FROM public.visits AS v LEFT JOIN public.people AS p ON p.id = v.person"
        " LEFT JOIN public.visits AS b ON b.id = v.before"
    )
    assert rows(clone, orphans) == [(0, 0)]
    wrong = (
        "SELECT count(*) FROM public.visits WHERE id <> md5(person::text)::uuid"
        " OR note <> E'a\\t\\\\N\\n' || person"
    )
    assert rows(clone, wrong) == [(0,)]
    assert rows(clone, "SELECT count(*) FROM public.people WHERE size <> length(name)") == [(0,)]
    hostile = """SELECT "k"" %(x)s", "'; DROP" FROM public."a ""b'; %s {c}" ORDER BY 1"""
    assert rows(clone, hostile) == [("", None), ("'\t\\x", 3)]
    assert rows(clone, "SELECT max(id) < nextval('public.people_id_seq') FROM public.people") == [
        (True,)
    ]


def test_rows_that_refer_to_rows_without_end_are_cut_off_and_told(
    made: Place, clone: Clone
) -> None:
    made.write("02_more.sql", "CREATE TABLE public.more (id bigint PRIMARY KEY);")
    with made.connect() as master:
        master.execute("SET ROLE haven_owner")
        master.execute("ALTER TABLE public.visits NO FORCE ROW LEVEL SECURITY")
        master.execute(
            "UPDATE public.visits SET before = md5((person - 1)::text)::uuid WHERE person > 1"
        )
        master.execute("ALTER TABLE public.visits FORCE ROW LEVEL SECURITY")
    result = rehearsed(made, clone)
    counted = {table.relation: table.rows for table in result.tables}
    assert counted["public.visits"] <= 500 * TIMES
    assert any(note.startswith("public.visits: ") for note in result.notes)
    dangling = "SELECT count(*) FROM public.visits AS v WHERE before IS NOT NULL AND NOT EXISTS "
    assert rows(clone, f"{dangling} (SELECT FROM public.visits AS b WHERE b.id = v.before)") == [
        (0,)
    ]


def test_a_statement_that_cannot_work_is_told_and_the_database_not_touched(
    made: Place, clone: Clone
) -> None:
    made.write("02_one.sql", "CREATE TABLE public.more (id bigint PRIMARY KEY);\nSELECT 1 / 0;")
    before = made.ledger()
    with pytest.raises(Failed) as caught:
        rehearsed(made, clone)
    assert "In the rehearsal, 02_one.sql:2: 'SELECT 1 / 0' failed" in str(caught.value)
    assert "The database was not touched" in str(caught.value)
    assert made.ledger() == before
    assert made.run(dry_run=True).drift is not None
    assert made.ask("SELECT to_regclass('public.more')") == [(None,)]


def test_a_backfill_is_rehearsed_in_its_batches(made: Place, clone: Clone) -> None:
    made.write(
        "02_fill.sql", "-- haven: backfill 100\nUPDATE public.people SET name = name || '!';"
    )
    result = rehearsed(made, clone)
    (fill,) = result.statements
    assert fill.work == "writes rows in batches of 100, each committed by itself"
    assert fill.full_seconds > fill.seconds
    assert fill.wal > 0
    assert rows(clone, "SELECT bool_and(name LIKE '%!') FROM public.people") == [(True,)]
    assert made.ask("SELECT count(*) FROM public.people WHERE name LIKE %s", "%!") == [(0,)]


def put(place: Place, ddl: str, *statements: str) -> None:
    """Apply a file that makes what ``haven_reader`` may read, then rows beside it."""
    grant = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO haven_reader;"
    place.write("02_put.sql", ddl + grant)
    place.run()
    with place.connect() as master:
        master.execute("SET ROLE haven_owner")
        for statement in statements:
            master.execute(statement.encode())
    place.write("03_more.sql", "CREATE TABLE public.more (id bigint PRIMARY KEY);")


def test_sequences_stand_behind_the_rows_whatever_they_count(made: Place, clone: Clone) -> None:
    """In rows that policies hide from the owner, backwards, from a bound on, and in words."""
    put(
        made,
        """CREATE TABLE public.hidden (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
        CREATE TABLE public.back (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT -1) PRIMARY KEY);
        CREATE TABLE public.late (id bigint GENERATED ALWAYS AS IDENTITY (MINVALUE 100) PRIMARY KEY);
        CREATE TABLE public.words (code text PRIMARY KEY);
        CREATE SEQUENCE public.words_code OWNED BY public.words.code;
        ALTER TABLE public.hidden ENABLE ROW LEVEL SECURITY;
        CREATE POLICY all_of_them ON public.hidden TO haven_reader USING (true);
        ALTER TABLE public.hidden FORCE ROW LEVEL SECURITY;""",
        "ALTER TABLE public.hidden NO FORCE ROW LEVEL SECURITY",
        *["INSERT INTO public.hidden DEFAULT VALUES", "INSERT INTO public.back DEFAULT VALUES"] * 3,
        "ALTER TABLE public.hidden FORCE ROW LEVEL SECURITY",
        "INSERT INTO public.words VALUES ('P-' || nextval('public.words_code'))",
    )
    rehearsed(made, clone)
    names = ("hidden_id_seq", "back_id_seq", "late_id_seq")
    taken = [rows(clone, f"SELECT nextval('public.{name}')") for name in names]
    assert taken == [[(4,)], [(-4,)], [(100,)]]


def test_a_value_that_the_clone_does_not_take_is_not_told(made: Place, clone: Clone) -> None:
    """The column is another one than the files say, which a run that was cut off did not see."""
    put(
        made,
        "CREATE TABLE public.odd (id bigint PRIMARY KEY, n int);",
        "ALTER TABLE public.odd ALTER n TYPE text",
        "INSERT INTO public.odd VALUES (1, 'a value of somebody')",
        "UPDATE haven_ops.migrations SET catalogue_digest = NULL",
    )
    with pytest.raises(Failed, match="InvalidTextRepresentation, with data that") as caught:
        rehearsed(made, clone)
    assert "somebody" not in str(caught.value)


def test_tables_with_deferrable_keys_and_rules_are_copied(made: Place, clone: Clone) -> None:
    """A row that the files made and the database still has is there once."""
    put(
        made,
        """CREATE TABLE public.late (id bigint PRIMARY KEY, n int UNIQUE DEFERRABLE);
        CREATE TABLE public.ruled (id bigint PRIMARY KEY, n int);
        CREATE RULE never AS ON UPDATE TO public.ruled DO INSTEAD NOTHING;
        INSERT INTO public.late VALUES (1, 1);""",
        "INSERT INTO public.late VALUES (2, 2)",
        "INSERT INTO public.ruled VALUES (1, 1)",
    )
    rehearsed(made, clone)
    assert rows(clone, "SELECT id FROM public.late ORDER BY id") == [(1,), (2,)]
    assert rows(clone, "SELECT id FROM public.ruled") == [(1,)]
