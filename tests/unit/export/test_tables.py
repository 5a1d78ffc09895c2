"""Which tables are exported, in which pieces, and where they lie."""

from datetime import date

import pytest

from haven.export import keys
from haven.export.columns import Column, Field
from haven.export.proof import chosen, room
from haven.export.tables import Piece, Selected, Table, in_order, pieces, sort_out

COLUMN = Column("id", "integer", "int4")
MIB = 2**20


def of(size=0, pages=0, name="t"):
    table = Table("public", name, (COLUMN,), size=size, pages=pages)
    return Selected(table, (Field(COLUMN, COLUMN.form),))


@pytest.mark.parametrize(
    ("size", "pages", "ranges"),
    [
        (0, 0, [(0, None)]),
        (8192, 1, [(0, None)]),
        (10 * MIB, 1280, [(0, None)]),
        (11 * MIB, 1408, [(0, 704), (704, None)]),
        (30 * MIB, 3, [(0, 1), (1, 2), (2, None)]),
        (30 * MIB, 1, [(0, None)]),
        (30 * MIB, 0, [(0, None)]),
        (40 * MIB, 5, [(0, 2), (2, 4), (4, None)]),
    ],
)
def test_pieces_cover_a_table_without_gap_or_overlap(size, pages, ranges):
    found = pieces(of(size, pages), 10 * MIB)
    assert [(one.first, one.until) for one in found] == ranges
    assert [one.number for one in found] == list(range(1, len(ranges) + 1))


def test_the_largest_pieces_come_first():
    small, large = of(5 * MIB, 640, "small"), of(25 * MIB, 3200, "large")
    found = in_order([*pieces(small, 10 * MIB), *pieces(large, 10 * MIB)])
    assert [one.of.identity for one in found] == ["public.large"] * 3 + ["public.small"]


def test_a_last_piece_of_pages_that_came_later_has_a_size():
    assert Piece(of(10, 10), 2, 20, None).bytes == 1


def test_tables_that_cannot_be_kept_are_refused_with_the_reason():
    tables = [
        Table("s", "a", (COLUMN,)),
        Table("s", "bare", ()),
        Table("s", "hidden", (COLUMN,), readable=False),
        Table("s", "passing", (), logged=False),
    ]
    found = sort_out(tables)
    assert [one.identity for one in found.tables] == ["s.a"]
    assert found.refused == {
        "s.bare": "it has no columns, and Parquet keeps no rows without",
        "s.hidden": "haven_reader may not read it",
    }
    assert list(found.left) == ["s.passing"]


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 1, 1), "2026-W01"),
        (date(2027, 1, 1), "2026-W53"),
        (date(2024, 12, 30), "2025-W01"),
    ],
)
def test_an_export_is_called_by_its_week(day, name):
    assert keys.week(day) == name


def test_keys_hold_any_name_and_no_two_names_become_one():
    place = keys.folder("2026-W05", "full")
    assert keys.piece(place, "s.t", 7) == "exports/2026-W05/full/data/s.t/00007.parquet"
    names = ['s."a/b"', 's."a b"', 's."a!2fb"', "s.a", 's."é"', 's."*"', 's.".."']
    found = [keys.plain(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(set(name) <= set("abcdefs0123456789.!_-") for name in found)


def test_a_sample_fits_is_seeded_and_is_never_empty():
    sizes = {"a": 5, "b": 6, "c": 7, "d": 100}
    found = chosen(sizes, 13, 1)
    assert found == chosen(sizes, 13, 1)
    assert sum(sizes[name] for name in found) <= 13
    assert {name for seed in range(20) for name in chosen(sizes, 13, seed)} == {"a", "b", "c"}
    assert chosen(sizes, 1, 1) == ["a"]
    assert chosen({}, 1, 1) == []


def test_what_is_loaded_has_room():
    assert room({"a": 1}, ["a"]) == 20
    assert room({"a": 100 * 2**30, "b": 2**50}, ["a"]) == 300
