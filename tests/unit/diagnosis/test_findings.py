"""Rows of figures, and what is told of each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from haven.diagnosis.findings import GIB, MIB, Finding, Limits, Trouble, in_order, shown
from haven.diagnosis.server import Load, Numbers, Session, Slot, connections, sequences, slots
from haven.diagnosis.statements import masked
from haven.diagnosis.storage import (
    Certificate,
    Point,
    Volume,
    certificates,
    growth,
    next_growth,
    outlook,
    storage,
)
from haven.diagnosis.tables import (
    Index,
    Table,
    Usage,
    Waste,
    bloat,
    dead_rows,
    duplicates,
    unused,
    wraparound,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LIMITS = Limits()
TABLE = Table("s.t", 100_000, 0, 50 * MIB, 1_000, 1_000)
INDEX = Index("s.i", "s.t", 20 * MIB, False, "btree | 1")
USED = Usage("primary", NOW - 31 * DAY, {})
NUMBERS = Numbers("s.q", "s.t.id", 1, 1, 2**31 - 1)
SLOT = Slot("old", False, 2 * GIB, "extended")


@pytest.mark.parametrize(
    ("dead", "live", "told"),
    [(0, 0, 0), (9_999, 1, 0), (10_000, 40_001, 0), (10_000, 40_000, 1), (10**6, 0, 1)],
)
def test_dead_rows(dead, live, told):
    found = list(dead_rows([replace(TABLE, dead=dead, live=live)], LIMITS))
    assert len(found) == told
    assert all(one.cure.startswith("VACUUM (VERBOSE, ANALYZE) s.t;") for one in found)


@pytest.mark.parametrize(
    ("age", "multixacts", "urgent"),
    [
        (399_999_999, 0, None),
        (400_000_000, 0, False),
        (0, 400_000_000, False),
        (999_999_999, 0, False),
        (1_000_000_000, 0, True),
        (0, 2_000_000_000, True),
    ],
)
def test_wraparound(age, multixacts, urgent):
    found = list(wraparound([replace(TABLE, age=age, multixact_age=multixacts)], LIMITS))
    assert [one.urgent for one in found] == ([] if urgent is None else [urgent])
    assert all(one.cure == "VACUUM (FREEZE, VERBOSE) s.t" for one in found)


@pytest.mark.parametrize(
    ("size", "wasted", "told"),
    [
        (100 * MIB, 49 * MIB, False),
        (100 * MIB, 50 * MIB, True),
        (126 * MIB, 50 * MIB, False),
        (0, 0, False),
    ],
)
def test_bloat(size, wasted, told):
    table, index = Waste("s.t", False, size, wasted), Waste("s.i", True, size, wasted)
    cures = [one.cure for one in bloat([table, index], LIMITS)]
    assert bool(cures) == told
    if told:
        assert cures[0].startswith("pg_repack")
        assert cures[1] == "REINDEX INDEX CONCURRENTLY s.i"


@pytest.mark.parametrize(
    ("index", "usages", "silent", "told"),
    [
        (INDEX, [USED], [], True),
        (INDEX, [USED, replace(USED, server="replica")], [], True),
        (INDEX, [USED, replace(USED, server="replica", scans={"s.i": 1})], [], False),
        (INDEX, [replace(USED, scans={"s.i": 1})], [], False),
        (INDEX, [replace(USED, scans={"s.other": 1})], [], True),
        (INDEX, [USED], ["replica"], False),
        (INDEX, [], [], False),
        (INDEX, [replace(USED, since=NOW - 29 * DAY)], [], False),
        (INDEX, [USED, replace(USED, since=NOW - DAY)], [], False),
        (INDEX, [replace(USED, since=None)], [], False),
        (replace(INDEX, needed=True), [USED], [], False),
        (replace(INDEX, bytes=9 * MIB), [USED], [], False),
    ],
    ids=str,
)
def test_unused_indexes(index, usages, silent, told):
    found = list(unused([index], usages, silent, LIMITS, NOW))
    assert [one.subject for one in found] == (["s.i"] if told else [])


def test_of_two_that_do_the_same_the_one_that_nothing_needs_is_told():
    key = replace(INDEX, name="s.z_pkey", needed=True)
    others = [replace(INDEX, name="s.a", definition="btree | 2"), replace(INDEX, table="s.u")]
    found = list(duplicates([INDEX, key, *others]))
    assert [(one.subject, key.name in one.text) for one in found] == [("s.i", True)]
    assert found[0].cure.endswith("DROP INDEX CONCURRENTLY s.i;")
    assert list(duplicates([key, replace(key, name="s.y_key")])) == []


@pytest.mark.parametrize(
    ("last", "start", "end", "urgent"),
    [
        (1, 1, 2**31 - 1, None),
        (1_610_612_000, 1, 2**31 - 1, None),
        (1_610_612_800, 1, 2**31 - 1, False),
        (1_940_000_000, 1, 2**31 - 1, True),
        (-30_000, -1, -32_768, True),
        (1, 1, 1, None),
    ],
)
def test_sequences(last, start, end, urgent):
    found = list(sequences([replace(NUMBERS, last=last, start=start, end=end)], LIMITS))
    assert [one.urgent for one in found] == ([] if urgent is None else [urgent])


@pytest.mark.parametrize(
    ("values", "urgent"),
    [
        ({}, False),
        ({"active": True}, None),
        ({"retained": GIB - 1}, None),
        ({"retained": 10 * GIB}, True),
        ({"retained": 0, "wal_status": "lost"}, False),
    ],
    ids=str,
)
def test_slots(values, urgent):
    found = list(slots([replace(SLOT, **values)], LIMITS))
    assert [one.urgent for one in found] == ([] if urgent is None else [urgent])


def test_a_slot_with_a_hostile_name_is_quoted_in_its_cure():
    (found,) = slots([replace(SLOT, name="a'b")], LIMITS)
    assert found.cure.endswith("SELECT pg_drop_replication_slot('a''b');")


@pytest.mark.parametrize(
    ("used", "urgent"), [(799, None), (800, False), (949, False), (950, True), (1000, True)]
)
def test_connections(used, urgent):
    load = Load(used, 1000, (("haven_app_a", used),), ())
    found = list(connections(load, LIMITS))
    assert [one.urgent for one in found] == ([] if urgent is None else [urgent])
    assert all(f"haven_app_a {used}" in one.text for one in found)


@pytest.mark.parametrize(
    ("open_for", "idle_for", "trouble"),
    [
        (59 * timedelta(minutes=1), None, None),
        (HOUR, None, Trouble.LONG_TRANSACTION),
        (HOUR, timedelta(minutes=9), Trouble.LONG_TRANSACTION),
        (10 * timedelta(minutes=1), 10 * timedelta(minutes=1), Trouble.IDLE_TRANSACTION),
        (9 * timedelta(minutes=1), 9 * timedelta(minutes=1), None),
    ],
    ids=str,
)
def test_open_transactions(open_for, idle_for, trouble):
    load = Load(1, 1000, (), (Session(42, "haven_app_a", "clinic", open_for, idle_for),))
    found = list(connections(load, LIMITS))
    assert [one.trouble for one in found] == ([trouble] if trouble else [])
    assert all(one.cure == "SELECT pg_terminate_backend(42);" for one in found)


def falling(per_day, *, free=100.0, days=7.0, allocated=500, ceiling=1000, **more):
    """A volume whose free space, in GiB, was as much less an hour as ``per_day`` says."""
    points = tuple(
        Point(NOW - hours * HOUR, (free + per_day * hours / 24) * GIB)
        for hours in range(int(days * 24), -1, -1)
    )
    return Volume("primary", allocated, ceiling, points, **more)


def test_growth_leaves_jumps_out_and_needs_some_hours():
    assert growth(falling(24).points) == pytest.approx(24 * GIB)
    assert growth(falling(-1).points) == 0.0
    assert growth(()) is None
    assert growth(falling(24, days=0.2).points) is None
    grown = [
        replace(point, free=point.free + (100 * GIB if point.at > NOW - DAY else 0))
        for point in falling(24).points
    ]
    assert growth(grown) == pytest.approx(24 * GIB, rel=0.01)


@pytest.mark.parametrize(
    ("allocated", "per_day", "grows"), [(20, 0, 10), (500, 0, 50), (500, 240 * GIB, 70)]
)
def test_autoscaling_grows_by_the_most_of_three(allocated, per_day, grows):
    assert next_growth(Volume("primary", allocated, 1000, ()), per_day) == grows


@pytest.mark.parametrize(
    ("volume", "told", "urgent"),
    [
        (falling(1), "", None),
        (falling(1, ceiling=0), "", None),
        (falling(5, ceiling=0), "autoscaling is off", False),
        (falling(50, ceiling=0), "autoscaling is off", True),
        (falling(5, ceiling=550), "reach autoscaling's ceiling of 550 GiB", False),
        (falling(5, ceiling=551), "", None),
        (falling(0, free=40, ceiling=0), "autoscaling is off", False),
        (falling(0, free=51, ceiling=0), "", None),
        (falling(480, free=60, changed=NOW - HOUR), "rests for another 5.0 hours", True),
        (falling(480, free=60, changed=NOW - 7 * HOUR), "", None),
        (falling(960, free=60), "", None),
        (Volume("primary", 500, 0, ()), "", None),
    ],
    ids=range(12),
)
def test_storage(volume, told, urgent):
    found = list(storage([volume], LIMITS, NOW))
    assert [one.urgent for one in found] == ([] if urgent is None else [urgent])
    assert all(told in one.text for one in found)


def test_without_growth_there_is_no_day_on_which_it_is_full():
    seen = outlook(falling(0), NOW)
    assert seen is not None
    assert (seen.full_in, seen.helps) == (None, True)


@pytest.mark.parametrize(
    ("days", "urgent"), [(61, None), (60, False), (15, False), (14, True), (-1, True)]
)
def test_certificates(days, urgent):
    one = Certificate("primary", "rds-ca-rsa2048-g1", NOW + days * DAY)
    found = list(certificates([one], LIMITS, NOW))
    assert [item.urgent for item in found] == ([] if urgent is None else [urgent])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT a FROM t WHERE b = $1", "SELECT a FROM t WHERE b = $1"),
        ("select a  from t\nwhere b = 'Amina' and c = 42", "select a from t where b = ? and c = ?"),
        ("SELECT 'it''s', E'x', 1.5e3, t1.c2", "SELECT ?, ?, ?, t1.c2"),
        ("SELECT $$secret$$, $a$secret$a$", "SELECT ?, ?"),
        ("SELECT 1 /* Amina */ -- 0123", "SELECT ?"),
        ("SELECT 'cut off", "SELECT ?"),
        ("ALTER ROLE x PASSWORD 'secret'", "ALTER …"),
        ("/* x */ ALTER ROLE x PASSWORD 'secret'", "ALTER …"),
        ("<insufficient privilege>", "<INSUFFICIENT …"),
        ("", ""),
    ],
)
def test_statements_are_told_without_what_they_hold(text, wanted):
    assert masked(text) == wanted


def test_a_long_statement_is_cut():
    assert len(masked("SELECT " + "a, " * 200)) == 161


def test_what_is_urgent_comes_first():
    one = Finding(Trouble.BLOAT, "b", "", "")
    found = in_order([one, replace(one, subject="a"), replace(one, subject="z", urgent=True)])
    assert [item.subject for item in found] == ["z", "a", "b"]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1536, "1.5 KiB"), (5 * MIB, "5.0 MiB"), (GIB, "1.0 GiB")]
)
def test_sizes(size, text):
    assert shown(size) == text
