"""What changed outside migrations is told, refused, and accepted by name only."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from haven.errors import Conflict, Refused, Unavailable
from haven.migrations.catalogue import FORM

pytestmark = pytest.mark.local

ONE = """
CREATE TABLE public.one (id bigint PRIMARY KEY, n text);
CREATE VIEW public.seen AS SELECT id FROM public.one;
CREATE TYPE public.mood AS ENUM ('glad', 'sad');
CREATE TYPE public.pair AS (one int, other text);
CREATE STATISTICS public.told ON id, (id + 1) FROM public.one;
CREATE INDEX one_abs ON public.one (abs(id));
CREATE FUNCTION public.same(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN $1 = $2;
CREATE PUBLICATION sent FOR TABLE public.one;
"""
TWO = "CREATE TABLE public.two (id bigint PRIMARY KEY);"
LATER = "CREATE TABLE public.later (id bigint PRIMARY KEY);"

OUTSIDE = [
    ("CREATE TABLE public.odd (id int)", "table public.odd was added"),
    ("CREATE SCHEMA odd", "schema odd was added"),
    ("DROP VIEW public.seen", "view public.seen was removed"),
    ("ALTER TABLE public.one ALTER n SET DEFAULT 'x'", "default none -> 'x'::text"),
    ("ALTER TABLE public.one ALTER n SET NOT NULL", "column public.one.n was changed: not null"),
    (
        "ALTER TABLE public.one ADD CHECK (id > 0)",
        "constraint one_id_check on public.one was added",
    ),
    ("CREATE INDEX odder ON public.one (n)", "index public.odder was added"),
    ("ALTER TYPE public.mood ADD VALUE 'so'", "type public.mood was changed: labels"),
    ("GRANT SELECT ON public.one TO haven_migrator", "grants haven_migrator none -> SELECT"),
    ("GRANT SELECT (n) ON public.one TO PUBLIC", "column public.one.n was changed: grants none"),
    ("COMMENT ON TABLE public.one IS 'x'", "table public.one was changed: comment none -> x"),
    ("ALTER TABLE public.one ENABLE ROW LEVEL SECURITY", "row-level security none -> true"),
    ("CREATE POLICY p ON public.one USING (true)", "policy p on public.one was added"),
    (
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql RETURN 1",
        "function public.f() was added",
    ),
    ("CREATE DOMAIN public.d AS int CHECK (VALUE > 0)", "type public.d was added"),
    (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "default privileges of haven_owner",
    ),
    ("ALTER TABLE public.one SET (fillfactor = 50)", 'options none -> ["fillfactor=50"]'),
    ("ALTER TABLE public.one REPLICA IDENTITY FULL", "replica identity none -> f"),
    ("CREATE SEQUENCE public.s", "sequence public.s was added"),
    ("CREATE RULE r AS ON DELETE TO public.one DO INSTEAD NOTHING", "rule r on public.one was"),
    ("ALTER STATISTICS public.told SET STATISTICS 7", "public.told was changed: target none -> 7"),
    ("ALTER INDEX public.one_abs ALTER COLUMN 1 SET STATISTICS 7", 'statistics none -> ["1: 7"]'),
    (
        "ALTER TABLE public.one SET (toast.autovacuum_enabled = off)",
        'toast options none -> ["autovacuum_enabled=off"]',
    ),
    ("COMMENT ON COLUMN public.pair.one IS 'x'", "type public.pair was changed: attributes"),
    (
        'ALTER TYPE public.pair ALTER ATTRIBUTE other TYPE text COLLATE "C"',
        "type public.pair was changed: attributes",
    ),
    (
        "CREATE COLLATION public.ci (provider = icu, locale = 'und', deterministic = false)",
        "collation public.ci was added",
    ),
    (
        "CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = public.same)",
        "operator public.===(integer,integer) was added",
    ),
    ("CREATE PUBLICATION more FOR TABLE public.one", "publication more was added"),
    ("ALTER PUBLICATION sent SET TABLE public.one (id)", "publication sent was changed: tables"),
    ("CREATE STATISTICS public.st ON id, n FROM public.one", "statistics public.st was added"),
]


def alter(place, statement):
    with place.connect("haven_migrator") as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute(statement)


@pytest.fixture
def applied(place):
    place.write("01_one.sql", ONE)
    place.run()
    return place


def test_each_change_outside_is_told_and_stops_a_run(applied):
    """One after another, each accepted before the next."""
    for statement, text in OUTSIDE:
        alter(applied, statement)
        drift = applied.run(dry_run=True).drift
        assert text in "\n".join(change.text for change in drift.changes), statement
        applied.run(accept_drift=drift.mark)
        assert applied.run(dry_run=True).drift.changes == ()
    events = applied.ask("SELECT DISTINCT event FROM haven_ops.history")
    assert events == [("drift accepted",)]


def test_a_run_is_refused_until_exactly_this_drift_is_accepted(applied):
    applied.write("02_two.sql", TWO)
    alter(applied, "CREATE INDEX odd ON public.one (n)")
    with pytest.raises(Refused, match=r"1 object was changed[\s\S]*index public\.odd was added"):
        applied.run()
    mark = applied.run(dry_run=True).drift.mark
    alter(applied, "DROP VIEW public.seen")
    with pytest.raises(Refused, match="2 objects were changed"):
        applied.run(accept_drift=mark)
    alter(applied, "CREATE VIEW public.seen AS SELECT id FROM public.one")
    result = applied.run(accept_drift=mark)
    assert [change.identity for change in result.drift.changes] == ["public.odd"]
    assert result.applied == ("02_two.sql",)
    told = applied.ask("SELECT number, reason, before FROM haven_ops.history")
    assert told == [(1, mark, ["index public.odd was added"])]
    applied.write("03_later.sql", LATER)
    assert applied.run().applied == ("03_later.sql",)


def test_what_changes_while_it_is_accepted_is_not_accepted_with_it(applied):
    """The row of history waits for the test, after the comparison."""
    alter(applied, "CREATE INDEX odd ON public.one (n)")
    mark = applied.run(dry_run=True).drift.mark
    with ThreadPoolExecutor() as pool, applied.connect("haven_migrator") as other:
        other.execute("SET ROLE haven_owner; BEGIN; LOCK TABLE haven_ops.history IN SHARE MODE")
        running = pool.submit(applied.run, accept_drift=mark)
        applied.until_runs("haven_ops.history (event")
        alter(applied, "GRANT SELECT ON public.one TO PUBLIC")
        other.execute("COMMIT")
        with pytest.raises(Conflict, match="while this run compared them"):
            running.result(timeout=60)
    assert applied.ask("SELECT count(*) FROM haven_ops.history") == [(0,)]
    assert len(applied.run(dry_run=True).drift.changes) == 2


def test_what_is_put_back_is_no_drift(applied):
    alter(applied, "ALTER TABLE public.one DROP n")
    assert applied.run(dry_run=True).drift.changes
    alter(applied, "ALTER TABLE public.one ADD n text")
    assert applied.run(dry_run=True).drift.changes == ()


def test_what_provision_does_is_no_drift_and_what_it_does_not_is(applied):
    with applied.connect() as master:
        master.execute("GRANT USAGE ON SCHEMA public TO pg_monitor")
        (change,) = applied.run(dry_run=True).drift.changes
        assert change.text == "schema public was changed: grants pg_monitor none -> USAGE"
        master.execute("REVOKE USAGE ON SCHEMA public FROM pg_monitor")
        master.execute("GRANT USAGE ON SCHEMA public TO haven_owner, haven_migrator")
        master.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        master.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert applied.run(dry_run=True).drift.changes == ()


def test_range_partitions_that_come_and_go_are_no_drift_but_a_different_one_is(place):
    part = "CREATE TABLE public.{0} PARTITION OF public.log FOR VALUES FROM ({1}) TO ({2})"
    place.write(
        "01_log.sql",
        "CREATE TABLE public.log (id bigint, n text) PARTITION BY RANGE (id);"
        "CREATE INDEX log_n ON public.log (n);" + part.format("log_1", 1, 2),
    )
    place.run()
    alter(place, part.format("log_22", 2, 3))
    alter(place, "DROP TABLE public.log_1")
    assert place.run(dry_run=True).drift.changes == ()
    alter(place, part.format("log_3", 3, 4))
    alter(place, "ALTER TABLE public.log_3 ALTER n SET DEFAULT 'x'")
    alter(place, "CREATE INDEX log_3_id ON public.log_3 (id)")
    texts = "\n".join(change.text for change in place.run(dry_run=True).drift.changes)
    assert "column each partition of public.log.n was changed: " in texts
    assert "index PARTITION_id on each partition of public.log was added" in texts


def test_the_first_partition_of_a_range_and_the_last_are_no_drift_either(place):
    part = "CREATE TABLE public.log_1 PARTITION OF public.log FOR VALUES FROM (1) TO (2)"
    place.write(
        "01_log.sql",
        "CREATE TABLE public.log (id bigint PRIMARY KEY, n text) PARTITION BY RANGE (id);"
        "CREATE INDEX log_n ON public.log (n);",
    )
    place.run()
    alter(place, part)
    assert place.run(dry_run=True).drift.changes == ()
    place.write("02_two.sql", TWO)
    place.run()
    alter(place, "DROP TABLE public.log_1")
    assert place.run(dry_run=True).drift.changes == ()


def test_a_ledger_of_an_older_haven_is_completed_in_place(applied):
    alter(
        applied,
        "DROP TABLE haven_ops.catalogue, haven_ops.history;"
        "ALTER TABLE haven_ops.migrations DROP restore_lsn, DROP catalogue_digest, DROP last_key, "
        "DROP rows_done",
    )
    found = applied.run(dry_run=True)
    assert not found.drift.known
    assert applied.ask("SELECT to_regclass('haven_ops.catalogue')") == [(None,)]
    assert applied.run().applied == ()
    assert applied.run(dry_run=True).drift.known
    assert applied.ask(
        "SELECT catalogue_digest LIKE %s FROM haven_ops.migrations", f"{FORM}:%"
    ) == [(True,)]


@pytest.mark.parametrize(
    "lost",
    [
        "UPDATE haven_ops.migrations SET catalogue_digest = NULL",
        "UPDATE haven_ops.migrations SET catalogue_digest = '0:an older form'",
    ],
)
def test_a_run_that_was_cut_off_before_it_wrote_down_is_made_good(applied, lost):
    before = applied.ask("SELECT catalogue_digest FROM haven_ops.migrations")
    alter(applied, lost)
    assert not applied.run(dry_run=True).drift.known
    applied.run()
    assert applied.ask("SELECT catalogue_digest FROM haven_ops.migrations") == before


def test_a_table_that_is_locked_is_waited_for(applied):
    applied.write("02_two.sql", TWO)
    with applied.connect("haven_migrator") as other:
        other.execute("SET ROLE haven_owner")
        other.execute("BEGIN; LOCK TABLE public.one")
        with pytest.raises(Unavailable, match="at each of 2 attempts"):
            applied.run(attempts=2)
    assert applied.run().applied == ("02_two.sql",)


def test_a_run_that_fails_writes_down_what_it_did(applied):
    applied.write("02_two.sql", TWO)
    applied.write("03_bad.sql", "SELECT 1/0;")
    with pytest.raises(Exception, match=r"03_bad\.sql"):
        applied.run()
    assert applied.run(dry_run=True).drift.known


def test_the_restore_point_is_before_the_file(applied):
    before = applied.ask("SELECT pg_current_wal_lsn()::text, now()")[0]
    applied.write("02_two.sql", TWO)
    applied.write("03_more.sql", "-- haven: non-transactional\n" + LATER)
    restore = applied.run().restore
    assert (restore.number, restore.file) == (2, "02_two.sql")
    assert restore.time >= before[1]
    assert applied.ask(
        "SELECT bool_and(restore_lsn >= %s::pg_lsn AND restore_lsn < pg_current_wal_lsn()) "
        "FROM haven_ops.migrations WHERE number > 1",
        before[0],
    ) == [(True,)]
