"""A rehearsal on a clone: what blocks is seen to block, what is safe is not, and rows are whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from haven.errors import Failed, Unavailable
from haven.migrations.catalogue import Catalogue
from haven.migrations.rehearsal import Rehearsal
from haven.pg import session
from tasks.catalogue import read_live
from tasks.rehearsal import Clone, Wanted, rehearse
from tasks.rehearsal_choice import TIMES, Limits
from tasks.rehearsal_watch import LOAD
from tests.local.migrate.conftest import (
    MASTER,
    PASSWORD,
    Place,
    Server,
    connect,
    fresh_database,
)

pytestmark = pytest.mark.local

READER = "haven_reader"
SCHEMA = """
CREATE TABLE public.people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
    size int GENERATED ALWAYS AS (length(name)) STORED);
CREATE TABLE public.visits (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person bigint NOT NULL REFERENCES public.people, before uuid REFERENCES public.visits, note text);
CREATE TABLE public.sorts (id bigint PRIMARY KEY, name text UNIQUE);
INSERT INTO public.sorts VALUES (1, 'one'), (2, 'two');
CREATE TABLE public.codes (id bigint PRIMARY KEY);
CREATE TABLE public.stays (id bigint PRIMARY KEY, code bigint);
CREATE TABLE public.links (id bigint PRIMARY KEY, before bigint REFERENCES public.links);
CREATE TABLE public.events (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
CREATE TABLE public.events_april PARTITION OF public.events
    FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
ALTER TABLE public.visits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_of_them ON public.visits TO haven_reader USING (true);
GRANT SELECT ON public.people, public.visits, public.sorts, public.codes, public.stays,
    public.links, public.events TO haven_reader;
"""
ROWS = r"""
INSERT INTO public.people (name) SELECT 'name ' || n FROM generate_series(1, 20000) AS n;
ALTER TABLE public.visits NO FORCE ROW LEVEL SECURITY;
INSERT INTO public.visits (id, person, before, note)
    SELECT md5(n::text)::uuid, 20001 - n, CASE WHEN n % 10 > 1 THEN md5((n - 1)::text)::uuid END, E'a\t\\N\n'
    FROM generate_series(1, 20000) AS n;
ALTER TABLE public.visits FORCE ROW LEVEL SECURITY;
UPDATE public.sorts SET id = 5 WHERE name = 'one';
INSERT INTO public.codes SELECT n FROM generate_series(1, 20000) AS n;
INSERT INTO public.stays SELECT n, 20001 - n FROM generate_series(1, 20000) AS n;
INSERT INTO public.links SELECT n, nullif(n - 1, 0) FROM generate_series(1, 20000) AS n;
CREATE TABLE public.events_may PARTITION OF public.events
    FOR VALUES FROM ('2026-05-01') TO ('2026-06-01');
INSERT INTO public.events SELECT n, '2026-05-02' FROM generate_series(1, 100) AS n;
"""
LIMITS = Limits(rows=500)
BLOCKING = """-- haven: accepts index-blocks-writes: it is to be seen
CREATE INDEX visits_note ON public.visits (note);
SELECT pg_sleep(0.3);
"""
SAFE = (
    "-- haven: non-transactional\nCREATE INDEX CONCURRENTLY people_name ON public.people (name);\n"
)
# Names that end a string, an identifier, a format or a dotted path where they are not quoted.
HOSTILE = """-- haven: accepts export-skips: a test
CREATE SCHEMA "a.b'; --";
CREATE TABLE "a.b'; --"."t""%s {0}" ("k %(x)s" bigint PRIMARY KEY, "v""; --" text);
CREATE TABLE "a.b'; --"."child%" ("id%" bigint PRIMARY KEY,
    "to %s" bigint REFERENCES "a.b'; --"."t""%s {0}");
INSERT INTO "a.b'; --"."t""%s {0}" VALUES (1, 'x');
INSERT INTO "a.b'; --"."child%" VALUES (1, 1);
GRANT USAGE ON SCHEMA "a.b'; --" TO haven_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA "a.b'; --" TO haven_reader;
"""


@dataclass
class Ground:
    """A database with rows, and an empty one to be its clone."""

    place: Place
    clone: Clone

    def rehearse(
        self, *, limit_s: float = 2.0, progress: Callable[[str], None] | None = None
    ) -> Rehearsal:
        """Rehearse what is pending; prove that the database is what it was."""
        before = self.state()
        found = self.place.run(dry_run=True)
        terms = replace(self.place.terms, lock_timeout=limit_s)
        terms = replace(terms, progress=progress or terms.progress)
        wanted = Wanted(
            terms, self.place.folder, found.already, found.pending, found.forecasts, LIMITS
        )
        try:
            return rehearse(replace(self.place.login, user=READER), self.clone, wanted)
        finally:
            assert self.state() == before

    def state(self) -> tuple[Catalogue, list[Any], list[Any]]:
        """Read all that a run could have changed."""
        with session(replace(self.place.login, user=MASTER)) as connection:
            rows = connection.execute(
                "SELECT (SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM public.people AS p), "
                "(SELECT md5(string_agg(v::text, ',' ORDER BY id)) FROM public.visits AS v), "
                "(SELECT array_agg(rolname ORDER BY 1) FROM pg_roles WHERE rolname <> %s)",
                (LOAD,),
            ).fetchall()
            return read_live(connection, 2.0), self.place.ledger(), rows

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the clone as its master, past all policies."""
        with connect(self.clone.master, user=MASTER) as master:
            return master.execute(query.encode()).fetchall()


@pytest.fixture
def ground(place: Place, migration_server: Server) -> Iterator[Ground]:
    with place.connect() as master:
        row = master.execute("SELECT FROM pg_roles WHERE rolname = 'haven_reader'").fetchone()
        if row is None:
            master.execute(f"CREATE ROLE haven_reader LOGIN PASSWORD '{PASSWORD}'")
        master.execute("GRANT haven_owner TO CURRENT_USER")
    place.write("01_schema.sql", SCHEMA)
    place.run()
    with fresh_database(migration_server.login) as login:
        clone = Clone(replace(login, user=MASTER), login, replace(login, user=LOAD))
        with connect(login, user=MASTER) as master:
            master.execute("CREATE EXTENSION pg_stat_statements")
        with place.connect() as master:
            master.execute("SET ROLE haven_owner")
            for statement in ROWS.split(";\n"):
                master.execute(statement.encode())
            master.execute("ANALYZE")
        yield Ground(place, clone)


def test_an_index_is_seen_to_block_writers_and_a_concurrent_one_is_not(ground: Ground) -> None:
    ground.place.write("02_hot.sql", BLOCKING)
    ground.place.write("03_safe.sql", SAFE)
    result = ground.rehearse(limit_s=0.2)
    blocking, sleep, safe = result.statements
    (lock,) = blocking.locks
    assert (lock.relation, lock.mode, lock.keeps_out) == ("public.visits", "SHARE", "writes")
    assert 0.3 <= lock.seconds < 5
    assert blocking.blocked == 1
    assert 0.25 <= blocking.longest_block <= lock.seconds + 0.1
    assert blocking.wal > 0
    assert blocking.full_seconds > blocking.seconds
    assert (sleep.locks, sleep.blocked) == ((), 0)
    assert safe.start.startswith("CREATE INDEX CONCURRENTLY")
    assert {lock.mode for lock in safe.locks} <= {"SHARE UPDATE EXCLUSIVE"}
    assert (safe.blocked, safe.file) == (0, "03_safe.sql")
    assert safe.wal > 0
    (told,) = result.too_long
    assert told.startswith(
        "02_hot.sql:2 CREATE INDEX visits_note ON public.visits (note): it keeps"
    )
    assert "the limit is 0.2 s" in told
    assert result.load.sessions == 4
    assert result.load.queries > 50
    assert result.load.refused == {}


def test_rows_are_few_whole_and_as_they_were(ground: Ground) -> None:
    ground.place.write("02_next.sql", "ALTER TABLE public.people ADD COLUMN x int;\n")
    result = ground.rehearse()
    copied = {table.relation: table for table in result.tables}
    assert all(found.rows <= TIMES * LIMITS.rows for found in copied.values())
    assert copied["public.visits"].of == 20000
    assert 400 < copied["public.visits"].rows < 1500
    assert copied["public.events"].rows == 100
    assert copied["public.sorts"].rows == 2
    assert ground.ask("SELECT id, name FROM public.sorts ORDER BY 1") == [(2, "two"), (5, "one")]
    assert ground.ask("SELECT count(*) FROM public.people WHERE name <> 'name ' || id") == [(0,)]
    assert ground.ask("SELECT count(*) FROM public.people WHERE size <> length(name)") == [(0,)]
    assert ground.ask("SELECT count(*) FROM public.events_may") == [(100,)]
    odd = r"SELECT count(*) FROM public.visits WHERE note IS DISTINCT FROM E'a\t\\N\n'"
    assert ground.ask(odd) == [(0,)]
    for table, column, parent in (
        ("visits", "person", "people"),
        ("visits", "before", "visits"),
        ("links", "before", "links"),
    ):
        missing = (
            f"SELECT count(*) FROM public.{table} AS c WHERE {column} IS NOT NULL "  # noqa: S608
            f"AND NOT EXISTS (SELECT FROM public.{parent} AS p WHERE p.id = c.{column})"
        )
        assert ground.ask(missing) == [(0,)]


def test_the_clone_has_statistics_policies_and_free_numbers(ground: Ground) -> None:
    ground.place.write("02_next.sql", "ALTER TABLE public.people ADD COLUMN x int;\n")
    ground.rehearse()
    assert ground.ask("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'visits'") == [
        (True,)
    ]
    analyzed = "SELECT count(*) FROM pg_stats WHERE tablename = 'people' AND attname = 'name'"
    assert ground.ask(analyzed) == [(1,)]
    free = "SELECT nextval('people_id_seq') > max(id) FROM people"
    assert ground.ask(free) == [(True,)]
    assert ground.ask("SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == [(0,)]


def test_an_endless_chain_of_rows_is_cut_and_what_hangs_on_it_left_out(ground: Ground) -> None:
    ground.place.write("02_next.sql", "ALTER TABLE public.links ADD COLUMN x int;\n")
    result = ground.rehearse()
    assert any(note.startswith("public.links: ") for note in result.notes)


def test_what_a_foreign_key_to_come_refers_to_comes_along(ground: Ground) -> None:
    key = "ALTER TABLE public.stays ADD CONSTRAINT stays_code FOREIGN KEY (code)"
    ground.place.write("02_key.sql", f"{key} REFERENCES public.codes NOT VALID;\n")
    ground.place.write("03_valid.sql", "ALTER TABLE public.stays VALIDATE CONSTRAINT stays_code;\n")
    result = ground.rehearse()
    assert [item.file for item in result.statements] == ["02_key.sql", "03_valid.sql"]
    assert ground.ask("SELECT count(*) > 400 FROM public.stays") == [(True,)]


def test_a_statement_that_fails_is_named_and_no_row_is_quoted(ground: Ground) -> None:
    ground.place.write(
        "02_wrong.sql",
        "-- haven: accepts type-change-rewrites: a test\n"
        "ALTER TABLE public.visits ALTER COLUMN note TYPE int USING note::int;\n",
    )
    with pytest.raises(Failed, match=r"In the rehearsal, 02_wrong\.sql:2: 'ALTER TABLE") as raised:
        ground.rehearse()
    assert r"\N" not in str(raised.value)
    assert raised.value.left.startswith("The database was not touched")


def test_what_does_not_hold_of_the_sample_is_a_note(ground: Ground) -> None:
    ground.place.write(
        "02_count.sql",
        "-- haven: verify SELECT count(*) = 20000 FROM public.people\n"
        "-- haven: verify SELECT count(*) > 0 FROM public.people\n"
        "ALTER TABLE public.people ADD COLUMN x int;\n",
    )
    result = ground.rehearse()
    (note,) = (note for note in result.notes if "to prove" in note)
    assert "= 20000" in note


def test_an_attempt_that_somebody_was_in_the_way_of_is_told(ground: Ground) -> None:
    text = "-- haven: lock-timeout 100ms\nALTER TABLE public.people ADD COLUMN x int;\n"
    ground.place.write("02_patient.sql", text)
    with connect(ground.clone.master, user=MASTER) as other:

        def stand(said: str) -> None:
            if said == "rehearsing 02_patient.sql":
                other.execute("BEGIN; LOCK TABLE public.people IN ACCESS SHARE MODE")
            elif "in the way" in said:
                other.execute("COMMIT")

        result = ground.rehearse(progress=stand)
    assert "02_patient.sql: the load was in the way of attempt 1" in result.notes
    assert len(result.statements) == 1


def test_where_the_clone_is_not_the_database_is_told(ground: Ground) -> None:
    ground.place.write("02_next.sql", "ALTER TABLE public.people ADD COLUMN x int;\n")
    with ground.place.connect() as master:
        master.execute("SET ROLE haven_owner")
        master.execute("CREATE TABLE public.by_hand (id bigint PRIMARY KEY)")
        master.execute("GRANT SELECT ON public.by_hand TO haven_reader")
    notes = "\n".join(ground.rehearse().notes)
    assert "public.by_hand is in no migration file, so it is left out" in notes
    assert "table public.by_hand was added" in notes


def test_names_are_quoted_wherever_they_go(ground: Ground) -> None:
    ground.place.write("02_names.sql", HOSTILE)
    ground.place.run()
    ground.place.write(
        "03_next.sql",
        "-- haven: accepts export-skips: a test\n"
        'ALTER TABLE "a.b\'; --"."t""%s {0}" ADD COLUMN "%(y)s" int;\n'
        'ALTER TABLE "a.b\'; --"."child%" ADD COLUMN "%(y)s" int;\n',
    )
    result = ground.rehearse()
    rows = {table.relation: table.rows for table in result.tables}
    assert rows["a.b'; --.child%"] == rows["a.b'; --.t\"%s {0}"] == 1
    assert (result.load.sessions, result.load.refused) == (4, {})


def test_applied_files_that_need_rows_of_others_are_named(ground: Ground) -> None:
    ground.place.write("02_more.sql", "SELECT 1 / count(*) FROM public.people;\n")
    ground.place.run()
    ground.place.write("03_next.sql", "ALTER TABLE public.people ADD COLUMN x int;\n")
    with pytest.raises(Failed, match=r"do not run on an empty database[\s\S]*02_more\.sql"):
        ground.rehearse()


def test_a_server_that_goes_away_is_told_as_such(ground: Ground) -> None:
    ground.place.write("02_next.sql", "ALTER TABLE public.people ADD COLUMN x int;\n")

    def go(said: str) -> None:
        if said.startswith("rehearsing"):
            ground.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = 'haven_migrator'"
            )

    with pytest.raises(Unavailable, match=r"02_next\.sql: the connection to the server was lost"):
        ground.rehearse(progress=go)


def test_a_backfill_is_rehearsed_in_its_batches(ground: Ground) -> None:
    ground.place.write(
        "02_fill.sql", "-- haven: backfill 100\nUPDATE public.people SET name = name || '!';"
    )
    result = ground.rehearse()
    (fill,) = result.statements
    assert fill.work == "writes rows in batches of 100, each committed by itself"
    assert fill.full_seconds > fill.seconds
    assert fill.wal > 0
    assert ground.ask("SELECT bool_and(name LIKE '%!') FROM public.people") == [(True,)]
    assert ground.place.ask("SELECT count(*) FROM public.people WHERE name LIKE %s", "%!") == [(0,)]


def put(ground: Ground, ddl: str, *statements: str) -> None:
    """Apply a file that makes what ``haven_reader`` may read, then rows beside it."""
    grant = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO haven_reader;"
    ground.place.write("02_put.sql", ddl + grant)
    ground.place.run()
    with ground.place.connect() as master:
        master.execute("SET ROLE haven_owner")
        for statement in statements:
            master.execute(statement.encode())
    ground.place.write("03_more.sql", "CREATE TABLE public.more (id bigint PRIMARY KEY);")


def test_sequences_stand_behind_the_rows_whatever_they_count(ground: Ground) -> None:
    """In rows that policies hide from the owner, backwards, from a bound on, and in words."""
    put(
        ground,
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
    ground.rehearse()
    names = ("hidden_id_seq", "back_id_seq", "late_id_seq")
    taken = [ground.ask(f"SELECT nextval('public.{name}')") for name in names]
    assert taken == [[(4,)], [(-4,)], [(100,)]]


def test_a_value_that_the_clone_does_not_take_is_not_told(ground: Ground) -> None:
    """The column is another one than the files say, which a run that was cut off did not see."""
    put(
        ground,
        "CREATE TABLE public.odd (id bigint PRIMARY KEY, n int);",
        "ALTER TABLE public.odd ALTER n TYPE text",
        "INSERT INTO public.odd VALUES (1, 'a value of somebody')",
        "UPDATE haven_ops.migrations SET catalogue_digest = NULL",
    )
    with pytest.raises(Failed, match="InvalidTextRepresentation, with data that") as caught:
        ground.rehearse()
    assert "somebody" not in str(caught.value)


def test_tables_with_deferrable_keys_and_rules_are_copied(ground: Ground) -> None:
    """A row that the files made and the database still has is there once."""
    put(
        ground,
        """CREATE TABLE public.late (id bigint PRIMARY KEY, n int UNIQUE DEFERRABLE);
        CREATE TABLE public.ruled (id bigint PRIMARY KEY, n int);
        CREATE RULE never AS ON UPDATE TO public.ruled DO INSTEAD NOTHING;
        INSERT INTO public.late VALUES (1, 1);""",
        "INSERT INTO public.late VALUES (2, 2)",
        "INSERT INTO public.ruled VALUES (1, 1)",
    )
    ground.rehearse()
    assert ground.ask("SELECT id FROM public.late ORDER BY id") == [(1,), (2,)]
    assert ground.ask("SELECT id FROM public.ruled") == [(1,)]
