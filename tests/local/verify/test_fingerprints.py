"""Fingerprints on real rows: every type, what changes them, what does not."""

import contextlib
import itertools

import pytest
from psycopg import sql

from haven.errors import Failed
from haven.pg import open_connection, session
from haven.verification.fingerprint import BUCKETS, FORM, STRONG_FORM, Span, added
from haven.verification.rows import sums_of, unpack
from tasks import fingerprints

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("sample")]

TORTURE = """
CREATE SCHEMA torture;
CREATE TYPE torture.mood AS ENUM ('low', 'high');
CREATE DOMAIN torture.short AS text CHECK (length(VALUE) < 9);
CREATE TYPE torture.pair AS (a integer, b text);
CREATE TABLE torture.every_type (
    id integer PRIMARY KEY, t text, v varchar(5), c char(4), n numeric, f4 real, f8 float8, b bool,
    d date, ts timestamp, tz timestamptz, iv interval, tm time, ttz timetz, u uuid, by bytea,
    j json, jb jsonb, x xml, ia integer[], ta text[][], ja json[], r int4range, mr int4multirange,
    m torture.mood, ma torture.mood[], s torture.short, p torture.pair, i inet, ci cidr, ma8 macaddr8,
    bt bit(3), vb varbit, po point, bx box, mo money, tv tsvector, tq tsquery, o oid, l pg_lsn,
    na name, "odd "" name" text, g integer GENERATED ALWAYS AS (id * 2) STORED
);
INSERT INTO torture.every_type VALUES
    (1, 'é', 'ab', 'x', 'NaN', '-Infinity', 0.1, true, 'infinity', '2026-01-01', '-infinity', '1 mon',
     '12:00', '12:00+02', gen_random_uuid(), '\\x00ff', '{"a": 1}', '{"a": [1, null]}', '<a>b</a>',
     '{1,NULL,3}', '{{a,b},{c,d}}', '{"{}"}', '[1,5)', '{[1,3),[7,9)}', 'low', '{low,high}', 'short',
     '(1,x)', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03:04:05', B'101', B'1', '(1,2)', '(0,0),(1,1)',
     '12.34', 'a b', 'a & b', 5, '0/16B3748', 'nm', 'odd');
INSERT INTO torture.every_type (id, t) VALUES (2, NULL), (3, 'third');
CREATE TABLE torture.without_key (v integer);
INSERT INTO torture.without_key VALUES (1), (1), (2);
CREATE TABLE torture."odd ""name" ("Key" text, PRIMARY KEY ("Key"));
CREATE TABLE torture.empty (id integer PRIMARY KEY);
CREATE UNLOGGED TABLE torture.lost_on_restore (id integer);
CREATE TABLE torture.parts (id integer, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE torture.part_1 PARTITION OF torture.parts FOR VALUES FROM (0) TO (100);
INSERT INTO torture.parts SELECT generate_series(1, 50);
"""


@pytest.fixture(scope="module")
def torture(database):
    """A schema with a column of every type, gone afterwards."""
    with session(database.login("haven_admin")) as connection:
        connection.execute(TORTURE)
        yield connection
        connection.execute("DROP SCHEMA torture CASCADE")


@contextlib.contextmanager
def reading(login):
    with contextlib.closing(open_connection(login)) as connection:
        fingerprints.begin(connection)
        yield connection


# Each after the one before it: neighbours must differ.
NUMERICS = ("NULL", "'NaN'", "0", "NULL", "0", "'NaN'", "1", "NULL")


def test_no_number_passes_for_null(torture):
    sums = []
    for value in NUMERICS:
        torture.execute(
            sql.SQL("UPDATE torture.every_type SET n = {}::numeric WHERE id = 3").format(
                sql.SQL(value)
            )
        )
        sums.append(total(torture, "torture.every_type"))
    assert all(one != other for one, other in itertools.pairwise(sums))


def found(connection, identity, form=FORM):
    return next(
        item for item in fingerprints.read_relations(connection, form) if item.identity == identity
    )


def total(connection, identity, form=FORM):
    return fingerprints.read_sum(connection, found(connection, identity, form)).total


# What PostgreSQL takes for equal.
EQUALS = (("n", "1.0", "1.00"), ("f8", "'0'", "'-0'"))


@pytest.mark.parametrize(("column", "one", "other"), EQUALS, ids=str)
def test_only_the_stronger_form_tells_apart_what_is_equal(torture, column, one, other):
    sums = {}
    for value in (one, other):
        statement = sql.SQL("UPDATE torture.every_type SET {} = {} WHERE id = 3")
        torture.execute(statement.format(sql.Identifier(column), sql.SQL(value)))
        sums[value] = [total(torture, "torture.every_type", form) for form in (FORM, STRONG_FORM)]
    (plain, strong), (plain_too, strong_too) = sums.values()
    assert plain == plain_too
    assert strong != strong_too


@pytest.mark.parametrize("form", [FORM, STRONG_FORM])
def test_every_type_has_a_fingerprint_and_each_change_of_it_shows(database, torture, form):
    relation = "torture.every_type"
    with reading(database.login("haven_admin")) as connection:
        before = total(connection, relation, form)
        columns = [column.name for column in found(connection, relation).columns]
    assert before.count == 3
    unseen = []
    for column in columns:
        if column in ("id", "g"):
            continue
        name = sql.Identifier(column)
        with torture.transaction(force_rollback=True):
            torture.execute(
                sql.SQL("UPDATE torture.every_type SET {} = NULL WHERE id = 1").format(name)
            )
            after = total(torture, relation, form)
        if after == before:
            unseen.append(column)
    assert unseen == []


@pytest.mark.usefixtures("torture")
@pytest.mark.parametrize("form", [FORM, STRONG_FORM])
def test_the_session_does_not_matter(database, form):
    sums = set()
    for settings in (
        "",
        "SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET bytea_output = 'escape'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -5",
    ):
        login = database.login("haven_admin")
        with contextlib.closing(open_connection(login)) as connection:
            if settings:
                connection.execute(settings)
            fingerprints.begin(connection)
            sums.add(total(connection, "torture.every_type", form))
    assert len(sums) == 1


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE torture.without_key SET v = 3 WHERE v = 2",
        "INSERT INTO torture.without_key VALUES (1)",
        "INSERT INTO torture.without_key VALUES (5), (5)",
        "DELETE FROM torture.without_key WHERE ctid = '(0,1)'",
        "DELETE FROM torture.without_key WHERE v = 1",
    ],
)
def test_rows_without_a_key_are_counted_too(torture, damage):
    before = total(torture, "torture.without_key")
    with torture.transaction(force_rollback=True):
        torture.execute(damage)
        assert total(torture, "torture.without_key") != before


def test_values_that_two_rows_swap_show(torture):
    torture.execute(
        "CREATE TABLE torture.swapped (id integer PRIMARY KEY, a text, b text);"
        "INSERT INTO torture.swapped VALUES (1, 'one', 'x'), (2, 'two', 'y')"
    )
    before = total(torture, "torture.swapped")
    with torture.transaction(force_rollback=True):
        torture.execute("UPDATE torture.swapped SET a = CASE id WHEN 1 THEN 'two' ELSE 'one' END")
        assert total(torture, "torture.swapped") != before


@pytest.mark.usefixtures("torture")
def test_partitions_are_told_with_their_parent_and_what_is_lost_is_marked(database):
    with reading(database.login("haven_admin")) as connection:
        known = {item.identity: item for item in fingerprints.read_relations(connection)}
    assert known["torture.part_1"].family == "torture.parts"
    assert "torture.parts" not in known
    assert not known["torture.lost_on_restore"].logged
    assert known['torture."odd ""name"'].key == ("Key",)


@pytest.mark.usefixtures("torture")
def test_packed_rows_are_what_the_sums_are_of(database):
    with reading(database.login("haven_admin")) as connection:
        relation = found(connection, "torture.part_1")
        whole = fingerprints.read_sum(connection, relation).total
        rows = fingerprints.read_packed(connection, relation, Span(), None)
        halves = [
            fingerprints.read_sum(connection, relation, span).total
            for span in (Span(0, 511), Span(512, BUCKETS - 1))
        ]
    sums = sums_of(unpack(rows, losing=False))
    assert added(sums.values()) == added(halves) == whole
    assert whole.count == 50
    assert halves[0] == added(one for bucket, one in sums.items() if bucket < 512)


def test_a_role_that_sees_nothing_fails_loudly(database):
    with session(database.login("haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner; ANALYZE haven_health.patients")
    with reading(database.login("haven_app_a")) as connection:
        relation = found(connection, "haven_health.patients")
        with pytest.raises(Failed, match="sees no row of haven_health"):
            fingerprints.read_sum(connection, relation)


def test_two_sessions_see_one_snapshot(database):
    login = database.login("haven_reader")
    with contextlib.closing(open_connection(login)) as first:
        snapshot = fingerprints.begin(first)
        with contextlib.closing(open_connection(login)) as second:
            fingerprints.join(second, snapshot.exported)
            assert total(second, "haven_health.patients") == total(first, "haven_health.patients")
            assert second.execute("SELECT pg_current_snapshot()::text").fetchone() == (
                snapshot.text,
            )
