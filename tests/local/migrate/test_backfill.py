"""A backfill writes what one UPDATE would, each row once, whatever happens between the batches."""

import contextlib
import json

import psycopg
import pytest

from haven.errors import Failed, InvalidRequest, Refused, Unavailable

pytestmark = pytest.mark.local

ROWS = 5_000
ONE = """
CREATE TABLE public.one (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int NOT NULL, m int);
INSERT INTO public.one (n) SELECT g FROM generate_series(1, 5000) AS g;
"""
FILL = "UPDATE public.one SET m = coalesce(m, 0) + n WHERE mod(n, 2) = 0 OR n > 4990;"
HOLD = (
    "SELECT FROM public.one WHERE id = (SELECT id FROM public.one WHERE mod(n, 2) = 0 "
    "ORDER BY id OFFSET 1000 LIMIT 1) FOR UPDATE"
)
WAITS = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' "
    "AND query LIKE 'UPDATE public.one%%'"
)
FAILS = (
    "UPDATE public.one SET m = 1 / (n - (SELECT n FROM public.one ORDER BY id OFFSET 300 LIMIT 1));"
)
FILLED = "SELECT count(*), min(m - n), max(m - n) FROM public.one WHERE mod(n, 2) = 0 OR n > 4990"


def fill(place, text=FILL, *, rows=100, headers=""):
    place.write("02_fill.sql", f"-- haven: backfill {rows}\n{headers}{text}")
    return place.run()


@pytest.fixture
def one(place):
    place.write("01_one.sql", ONE)
    place.run()
    return place


def state(place):
    return place.ask(
        "SELECT state, statements_done, rows_done, last_key IS NOT NULL FROM haven_ops.migrations "
        "WHERE number = 2"
    )


def test_it_writes_what_one_update_would(one):
    assert fill(one).applied == ("02_fill.sql",)
    assert one.ask(FILLED) == [(2505, 0, 0)]
    assert one.ask("SELECT count(*) FROM public.one WHERE m IS NOT NULL") == [(2505,)]
    assert state(one) == [("done", 1, 2505, False)]
    assert "02_fill.sql: 2,505 rows in 51 batches" in one.said
    assert one.run().already == 2


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS, ROWS + 1])
def test_batches_at_the_edge_of_the_table(one, rows):
    fill(one, rows=rows)
    assert one.ask(FILLED) == [(2505, 0, 0)]


def test_an_empty_table_is_filled_at_once(one):
    with one.connect("haven_migrator") as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute("TRUNCATE public.one")
    fill(one)
    assert state(one) == [("done", 1, 0, False)]


def test_a_killed_run_goes_on_behind_its_last_batch(one):
    """The row that each batch of three waits for is the test's own hand on the run."""
    one.write("02_fill.sql", f"-- haven: backfill 3\n{FILL}")
    with one.connect("haven_migrator") as other:
        other.execute("SET ROLE haven_owner; BEGIN")
        other.execute(HOLD)
        runner = one.spawn()
        one.until(WAITS, one.login.database)
        runner.kill()
        runner.communicate()
        (told,) = state(one)
        assert (told[0], told[3]) == ("running", True)
        assert 1000 - 3 < told[2] < 1200
    assert one.run().applied == ("02_fill.sql",)
    assert one.ask(FILLED) == [(2505, 0, 0)]
    assert state(one) == [("done", 1, 2505, False)]


def test_it_is_not_edited_while_it_is_under_way(one):
    with pytest.raises(Failed, match=r"02_fill\.sql:2: 'UPDATE public.one SET"):
        fill(one, FAILS, rows=10)
    with pytest.raises(Refused, match="edited while its rows are being filled"):
        fill(one, "UPDATE public.one SET m = 2;")


def test_a_failed_batch_leaves_those_before_and_is_told_without_data(one):
    with pytest.raises(Failed) as caught:
        fill(one, FAILS, rows=10)
    assert "The batches so far are applied, and recorded." in str(caught.value)
    ((done, rows),) = one.ask(
        "SELECT statements_done, rows_done FROM haven_ops.migrations WHERE number = 2"
    )
    assert one.ask("SELECT count(*) FROM public.one WHERE m IS NOT NULL") == [(rows or 0,)]
    assert done == 0


def test_a_row_that_others_hold_is_waited_for_and_tried_again(one):
    with one.connect("haven_migrator") as other:
        other.execute("SET ROLE haven_owner; BEGIN")
        other.execute("SELECT FROM public.one ORDER BY id LIMIT 1 FOR UPDATE")
        with pytest.raises(Unavailable, match="other sessions in its way at each of 3 attempts"):
            fill(one, "UPDATE public.one SET m = n;")
        assert state(one)[0][0] == "failed"
    assert one.run().applied == ("02_fill.sql",)
    assert one.ask("SELECT count(*) FROM public.one WHERE m = n") == [(ROWS,)]


def test_the_servers_restart_between_batches_loses_and_repeats_nothing(one, migration_server):
    one.write("02_fill.sql", f"-- haven: backfill 5\n{FILL}")
    with contextlib.closing(one.connect("haven_migrator")) as other:
        other.execute("SET ROLE haven_owner; BEGIN")
        other.execute(HOLD)
        runner = one.spawn()
        one.until(WAITS, one.login.database)
        migration_server.reboot()
    output = json.loads(runner.communicate(timeout=60)[0])
    if output != ["applied", ["02_fill.sql"]]:
        assert output[0] == "Unavailable"
        assert one.run().applied == ("02_fill.sql",)
    assert one.ask(FILLED) == [(2505, 0, 0)]


def test_keys_of_several_columns_and_partitions(place):
    place.write(
        "01_log.sql",
        'CREATE TABLE public."Log" (made date, "no" text, n int, PRIMARY KEY (made, "no")) PARTITION BY RANGE (made);'
        """CREATE TABLE public.log_1 PARTITION OF public."Log" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE TABLE public.log_2 PARTITION OF public."Log" DEFAULT;
        INSERT INTO public."Log" SELECT date '2026-01-01' + g / 7, 'it''s %s ' || g, g
            FROM generate_series(1, 700) AS g;""",
    )
    place.run()
    fill(
        place,
        """UPDATE public."Log" AS made SET n = made.n + other.n
        FROM (VALUES (1000)) AS other (n) WHERE made.n < 500 OR made.n % 2 = 0;""",
        rows=9,
    )
    expected = 'SELECT sum(n), count(*) FILTER (WHERE n > 1000) FROM public."Log"'
    assert place.ask(expected) == [(700 * 701 // 2 + 600_000, 600)]


SECURED = """
ALTER TABLE public.one ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON public.one FOR SELECT USING (n < 10);
"""
ACCEPT = "-- haven: accepts row-security-removed: the rows are filled\n"
LOSES = "-- haven: accepts drop-loses-data: it has no rows\n"
POLICY = "CREATE POLICY backfill ON public.one TO haven_owner USING (true);"


def test_rows_under_row_level_security_are_all_filled_or_it_is_refused(one):
    one.write("02_secured.sql", SECURED)
    one.run()
    text = f"-- haven: backfill 100\n-- haven: verify {FILLED.replace('count(*), min(m - n), max(m - n)', 'count(*) = 2505')}\n{FILL}"
    one.write("03_policy.sql", "SELECT 1;")
    one.write("04_fill.sql", text)
    with pytest.raises(
        Refused, match=r"CREATE POLICY backfill ON public\.one TO haven_owner USING \(true\)"
    ):
        one.run()
    assert [row[0] for row in one.ledger()] == [1, 2, 3]
    one.write("04_policy.sql", POLICY)
    (one.folder / "04_fill.sql").unlink()
    one.write("05_fill.sql", text)
    one.write("06_no_policy.sql", f"{ACCEPT}DROP POLICY backfill ON public.one;")
    assert len(one.run().applied) == 3
    with one.connect("haven_migrator") as other:
        other.execute("SET ROLE haven_owner; SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute("SELECT FROM public.one")
    assert one.ask("SELECT rows_done FROM haven_ops.migrations WHERE number = 5") == [(2505,)]


def test_a_restrictive_policy_or_a_view_keeps_rows_away(one):
    one.write("02_secured.sql", SECURED + POLICY + "CREATE VIEW public.seen AS SELECT 1 AS n;")
    one.run()
    one.write(
        "03_fill.sql",
        "-- haven: backfill 10\nUPDATE public.one SET m = (SELECT n FROM public.seen);",
    )
    with pytest.raises(Refused, match=r"keep rows from haven_owner in: public\.seen"):
        one.run()
    (one.folder / "03_fill.sql").unlink()
    one.write("03_strict.sql", "CREATE POLICY strict ON public.one AS RESTRICTIVE USING (n > 0);")
    one.run()
    one.write("04_fill.sql", f"-- haven: backfill 10\n{FILL}")
    with pytest.raises(Refused, match=r"keep rows from haven_owner in: public\.one"):
        one.run()


def test_a_policy_for_a_role_that_the_owner_is_a_member_of_keeps_rows_away(one):
    with one.connect() as master:
        master.execute("CREATE ROLE team; GRANT team TO haven_owner")
        try:
            strict = "CREATE POLICY strict ON public.one AS RESTRICTIVE TO team USING (n > 100);"
            one.write("02_secured.sql", SECURED + POLICY + strict)
            one.run()
            one.write("03_fill.sql", f"-- haven: backfill 10\n{FILL}")
            with pytest.raises(Refused, match=r"keep rows from haven_owner in: public\.one"):
                one.run()
        finally:
            master.execute("GRANT haven_owner TO CURRENT_USER; SET ROLE haven_owner")
            master.execute("DROP TABLE public.one CASCADE; RESET ROLE; DROP ROLE team")


def test_a_function_that_reads_may_not_see_rows(one):
    reads = (
        "CREATE FUNCTION public.reads() RETURNS bigint LANGUAGE sql STABLE "
        "AS 'SELECT count(*) FROM public.one';"
        "CREATE FUNCTION public.plain(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1;"
    )
    one.write("02_secured.sql", reads + SECURED + POLICY)
    one.run()
    one.write("03_fill.sql", "-- haven: backfill 1000\nUPDATE public.one SET m = public.reads();")
    with pytest.raises(Refused, match=r"keep rows from haven_owner in: public\.reads\(\)"):
        one.run()
    one.write("03_fill.sql", "-- haven: backfill 1000\nUPDATE public.one SET m = public.plain(n);")
    assert one.run().applied == ("03_fill.sql",)


def test_a_table_that_others_inherited_from_once_is_filled(one):
    one.write("02_kid.sql", "CREATE TABLE public.kid () INHERITS (public.one);")
    one.run()
    one.write("03_no_kid.sql", f"{LOSES}DROP TABLE public.kid;")
    one.run()
    one.write("04_fill.sql", f"-- haven: backfill 1000\n{FILL}")
    assert one.run().applied == ("04_fill.sql",)


@pytest.mark.parametrize(
    ("table", "fragment"),
    [
        ("CREATE TABLE public.t (n int)", "public.t has no primary key"),
        ("CREATE VIEW public.t AS SELECT id, n FROM public.one", "public.t is no table of its own"),
        (
            "CREATE TABLE public.t (n bigint PRIMARY KEY); CREATE TABLE public.c () INHERITS (public.t)",
            "others inherit from it",
        ),
        ("CREATE TABLE public.t (n bigint PRIMARY KEY)", "it changes n of the primary key"),
        ("SELECT 1", "public.t is no table of its own"),
    ],
)
def test_what_has_no_key_to_go_along_is_refused_before_it_is_begun(one, table, fragment):
    one.write("02_t.sql", table)
    one.run()
    one.write("03_fill.sql", "-- haven: backfill 10\nUPDATE public.t SET n = 1;")
    with pytest.raises(Refused, match=fragment):
        one.run()
    assert [row[0] for row in one.ledger()] == [1, 2]


def test_a_plan_tells_of_the_batches_and_every_row_is_no_hazard(one):
    one.write("02_fill.sql", "-- haven: backfill 1000\nUPDATE public.one SET m = n;")
    (told,) = one.run(dry_run=True).forecasts
    assert "writes rows in batches of 1,000, each committed by itself" in told.text
    assert told.hazards == ()


OTHERS = "UPDATE public.one SET n = (SELECT max(n) FROM public.one) - 1;"


def test_what_reads_rows_that_batches_before_have_written_is_refused(one):
    with pytest.raises(InvalidRequest, match="cannot read n of rows"):
        fill(one, OTHERS)
    assert one.ask("SELECT min(n), max(n) FROM public.one") == [(1, ROWS)]
    fill(one, OTHERS.replace("SET n", "SET m"))
    assert one.ask("SELECT min(m), max(m) FROM public.one") == [(ROWS - 1, ROWS - 1)]


KEYS = {
    "timestamptz": "timestamptz '2026-01-01 00:00+0' + g * interval '1 second'",
    "timestamp": "timestamp '2026-02-01' + g * interval '1 day'",
    "interval": "g * interval '-1 mon 2 days' + interval '3 hours'",
    "real": "1000000 + g / 8.0",
    "bytea": r"decode(md5(g::text), 'hex') || '\x5c27'::bytea",
    "public.mood": "('v' || g)::public.mood",
    "public.name": r"'it''s \' || g",
    'text COLLATE public."as one"': "CASE WHEN g % 2 = 0 THEN 'Ä' ELSE 'a' END || g",
    "char(900)": "repeat(md5(g::text), 28)",
}
TABLE = """
CREATE TABLE public.t{number} (id {type} PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO public.t{number} SELECT {value} FROM generate_series(1, 50) AS g;
"""
KINDS = """
CREATE DOMAIN public.name AS text;
CREATE COLLATION public."as one" (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
"""


@pytest.mark.parametrize("style", ["ISO, MDY", "SQL, DMY", "German"])
def test_keys_of_any_type_under_any_settings_of_the_database(place, style):
    """A key goes through text: what another setting would read differently ran on for ever."""
    with place.connect() as master:
        for setting in (
            f"datestyle = '{style}'",
            "timezone = 'Asia/Kolkata'",
            "intervalstyle = 'sql_standard'",
            "extra_float_digits = -3",
            "bytea_output = 'escape'",
        ):
            master.execute(f"ALTER DATABASE {place.login.database} SET {setting}")
    labels = ", ".join(f"'v{g * 17 % 101}'" for g in range(101))
    tables = "".join(
        TABLE.format(number=number, type=type_, value=value)
        for number, (type_, value) in enumerate(KEYS.items())
    )
    place.write("01_t.sql", f"CREATE TYPE public.mood AS ENUM ({labels});{KINDS}{tables}")
    for number in range(len(KEYS)):
        name = f"{number + 2:02}_fill.sql"
        place.write(name, f"-- haven: backfill 3\nUPDATE public.t{number} SET n = n + 1;")
    assert place.run().restore.number == 1
    for number, kind in enumerate(KEYS):
        told = place.ask(f"SELECT count(*), min(n), max(n) FROM public.t{number}")  # noqa: S608
        assert told == [(50, 1, 1)], kind
