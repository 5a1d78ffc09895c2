"""Buckets, spans, and when a bucket is proven without looking at its rows."""

from datetime import UTC, datetime

import pytest

from haven.verification.fingerprint import NOTHING, Column, Relation, Span, Standing, Sum, is_proven
from haven.verification.horizon import Horizon, age, horizon

WANTED = Sum(2, 30)
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "proven"),
    [
        (Standing(WANTED), True),
        (Standing(WANTED, after=Sum(7, 7)), True),
        (Standing(Sum(1, 10), during=Sum(1, 20)), True),
        (Standing(WANTED, during=Sum(1, 20)), True),
        (Standing(Sum(1, 10)), False),
        (Standing(Sum(2, 31)), False),
        (Standing(Sum(1, 10), after=Sum(1, 20)), False),
        (Standing(WANTED, later=Sum(1, 20)), False),
        (Standing(), False),
    ],
)
def test_a_bucket_is_proven_by_the_rows_that_are_old_enough(found, proven):
    assert is_proven(WANTED, found) is proven


def test_an_empty_bucket_is_proven_by_newer_rows_alone():
    assert is_proven(NOTHING, Standing(after=Sum(3, 3)))
    assert not is_proven(NOTHING, Standing(before=Sum(1, 1)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:12:10,11", Horizon(10, 12, (10, 11), UNTIL)),
        ("10:10:", Horizon(10, 10, (), UNTIL)),
        (f"{2**32 + 5}:{2**32 + 9}:{2**32 + 7}", Horizon(5, 9, (7,), UNTIL)),
    ],
)
def test_snapshots_are_read(text, expected):
    assert horizon(text, UNTIL) == expected


@pytest.mark.parametrize("text", ["", "10", "10:11", "a:b:", "10:11:12,", "10:11: 12"])
def test_what_is_no_snapshot_is_refused(text):
    with pytest.raises(ValueError, match="is no snapshot"):
        horizon(text, UNTIL)


def test_spans_and_keys():
    assert Span().whole
    assert not Span(0, 511).whole
    assert Span(0, 511).share == 0.5
    a, b = Column("a"), Column("b")
    assert Relation("s", "t", (a, b), ("b",)).key_columns == (b,)
    assert Relation("s", "t", (a, b)).key_columns == (a, b)


@pytest.mark.parametrize(
    ("schema", "name", "identity"),
    [
        ("a", "b", "a.b"),
        ("a.b", "c", '"a.b".c'),
        ("a", "b.c", 'a."b.c"'),
        ("A", 'odd "name', '"A"."odd ""name"'),
        ("a", "b\n", 'a."b\n"'),
    ],
)
def test_no_two_relations_are_called_the_same(schema, name, identity):
    assert Relation(schema, name, (Column("id"),)).identity == identity


def test_ages_go_round():
    assert age(5, 9) == 4
    assert age(2**32 - 3, 2) == 5
