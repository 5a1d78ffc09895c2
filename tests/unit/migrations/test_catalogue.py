import hashlib
import json

import pytest

from haven.migrations.catalogue import FORM, LISTED, Change, Drift, compare, digest_of, listed
from haven.sql import QUERIES

TABLE = ("table", "public.t")
COLUMN = ("column", "public.t.a")
# The query that makes the rows, by the form that it gives them.
FORMS = {"1": "bc5f0ab5e3b86b80", "2": "7f58c10dd5d2c5d1"}


def rows(**definitions):
    """Rows of columns by name."""
    return {
        ("column", name): json.dumps(definition, sort_keys=True)
        for name, definition in definitions.items()
    }


def test_a_change_of_the_query_is_another_form():
    query = hashlib.sha256(QUERIES["catalogue_live"].encode()).hexdigest()[:16]
    assert FORMS[FORM] == query, "raise FORM: what older runs wrote down cannot be compared"


def test_the_digest_does_not_depend_on_the_order_of_rows_but_on_all_else():
    one = {TABLE: "{}", COLUMN: '{"type": "text"}'}
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    others = [
        {TABLE: "{}"},
        {TABLE: "{}", COLUMN: '{"type": "int"}'},
        {TABLE: "{}", ("column", "public.t.b"): '{"type": "text"}'},
        {TABLE: "{}", ("table", "public.t.a"): '{"type": "text"}'},
    ]
    assert len({digest_of(item) for item in [one, *others]}) == 5
    assert digest_of(one).startswith(f"{FORM}:")


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        ({}, {}, []),
        (rows(a={}), rows(a={}), []),
        ({}, rows(a={}), ["column a was added"]),
        (rows(a={}), {}, ["column a was removed"]),
        (
            rows(a={"type": "text"}),
            rows(a={"type": "bigint"}),
            ["column a was changed: type text -> bigint"],
        ),
        (
            rows(a={"not null": True, "default": "now()"}),
            rows(a={}),
            ["column a was changed: default now() -> none; not null true -> none"],
        ),
        (
            rows(a={"grants": {"x": "SELECT", "y": "SELECT"}}),
            rows(a={"grants": {"x": "INSERT", "z": "SELECT"}}),
            [
                "column a was changed: grants x SELECT -> INSERT; grants y SELECT -> none; grants z none -> SELECT"
            ],
        ),
        (
            rows(a={"definition": "x\n  y"}),
            rows(a={"definition": "z" * 100}),
            [f"column a was changed: definition x y -> {'z' * 60} …"],
        ),
        (rows(b={}, a={}), {}, ["column a was removed", "column b was removed"]),
    ],
)
def test_what_differs_is_told_with_its_attributes(before, after, texts):
    assert [change.text for change in compare(before, after)] == texts


def test_what_goes_with_its_table_is_told_by_the_table():
    gone = [
        ("table", 'public."a.b"'),
        ("column", 'public."a.b"."c.d"'),
        ("column", 'public."a.b".e'),
        ("policy", 'p on public."a.b"'),
        ("column", "public.other.c"),
        ("index", "public.i"),
    ]
    changes = compare(dict.fromkeys(gone, "{}"), {})
    assert [change.identity for change in changes] == [
        "public.other.c",
        "public.i",
        'public."a.b"',
    ]


def test_many_changes_are_cut_short():
    changes = [Change("added", "table", f"t{number}") for number in range(LISTED + 3)]
    lines = listed(changes).split("\n")
    assert len(lines) == LISTED + 1
    assert lines[-1].strip() == "and 3 more"


def test_a_mark_names_the_catalogue_as_it_is():
    changes = (Change("added", "table", "t"),)
    assert Drift(known=True, changes=changes, digest="1:0123456789abcdef").mark == (
        "drift-0123456789ab"
    )
    assert Drift(known=True, digest="1:0123456789abcdef").mark == ""
