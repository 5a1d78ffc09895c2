"""Which part of a database a run reads."""

from datetime import UTC, datetime, timedelta

from haven.verification.fingerprint import BUCKETS, Column, Relation, Span
from haven.verification.share import Unit, choose, unit_name, units_of

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def relation(name, size=100, rows=10, **more):
    return Relation("s", name, (Column("id"),), ("id",), size, rows, **more)


def names(share):
    return [unit.name for unit in share.units]


def test_what_fits_is_read_whole():
    share = choose([relation("a"), relation("b")], {}, 200, NOW)
    assert names(share) == ["s.a", "s.b"]
    assert (share.left, share.late) == ({}, ())


def test_no_budget_is_no_limit():
    assert names(choose([relation("a", 10**15)], {}, 0, NOW)) == ["s.a"]


def test_what_was_not_proven_for_longest_comes_first():
    read = {"s.a": NOW - timedelta(days=1), "s.b": NOW - timedelta(days=9)}
    share = choose([relation("a"), relation("b"), relation("c")], read, 200, NOW)
    assert names(share) == ["s.c", "s.b"]
    assert share.left == {"s.a": "not its turn; proven last 2026-01-30"}


def test_one_unit_is_read_whatever_the_budget():
    assert names(choose([relation("a"), relation("b")], {}, 1, NOW)) == ["s.a"]


def test_what_will_be_older_than_a_month_is_told():
    read = {"s.a": NOW - timedelta(days=40), "s.b": NOW - timedelta(days=39)}
    assert choose([relation("a"), relation("b")], read, 100, NOW).late == ("s.b",)


def test_what_cannot_be_proven_is_named():
    share = choose(
        [relation("a", logged=False), relation("b", readable=False), relation("c")], {}, 0, NOW
    )
    assert names(share) == ["s.c"]
    assert share.left == {
        "s.a": "unlogged: it is empty after every restore",
        "s.b": "the role may not read it",
    }


def test_a_large_relation_is_divided_into_ranges_of_buckets_that_cover_it():
    units = units_of(relation("a", 1_000, 3_500_000))
    assert len(units) == 4
    assert [unit.span.first for unit in units] == [0, 256, 512, 768]
    assert units[-1].span.last == BUCKETS - 1
    assert sum(unit.bytes for unit in units) == 1_000
    assert units[1].name == "s.a buckets 256-511"
    assert len(units_of(relation("a", rows=10**12))) == BUCKETS


def test_every_part_has_its_turn_within_a_month():
    relations = [relation(f"t{number:02}") for number in range(60)]
    read: dict[str, datetime] = {}
    for day in range(30):
        now = NOW + timedelta(days=day)
        share = choose(relations, read, 300, now)
        assert share.late == ()
        read |= dict.fromkeys((unit.name for unit in share.units), now)
    assert len(read) == 60
    assert min(read.values()) >= NOW + timedelta(days=9)


def test_names_of_units():
    assert unit_name("s.a", Span()) == "s.a"
    assert Unit(relation("a"), Span(0, 1)).name == "s.a buckets 0-1"
