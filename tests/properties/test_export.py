"""Dates, pieces and keys of exports, for every input."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from haven.export import keys
from haven.export.columns import Column, Field
from haven.export.moments import DATE, TIMESTAMP, civil, date_text, timestamp_text
from haven.export.tables import Selected, Table, pieces

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMN = Column("id", "integer", "int4")


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_written_as_python_writes_it(moment):
    past = moment - EPOCH
    microseconds = past // timedelta(microseconds=1)
    assert timestamp_text(microseconds) == f"{moment.year:04}{moment:-%m-%d %H:%M:%S.%f}"
    assert date_text(past.days) == f"{moment.year:04}{moment:-%m-%d}"


@given(st.integers(-2440588, 2145042904))
def test_each_day_follows_the_one_before_it(days):
    year, month, day = civil(days)
    following = civil(days + 1)
    assert following in {(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)}
    assert (following[2] == 1) == (following != (year, month, day + 1))


def test_the_ends_are_infinity_and_the_era_is_told():
    assert date_text(DATE.kept_future) == "infinity"
    assert timestamp_text(TIMESTAMP.kept_past) == "-infinity"
    assert date_text(-719163) == "0001-12-31 BC"
    assert timestamp_text(-62135596800000001) == "0001-12-31 23:59:59.999999 BC"


@given(st.integers(0, 2**45), st.integers(0, 2**32 - 2), st.integers(1, 2**40))
def test_pieces_cover_every_page_once(size, pages, most):
    if size // most > 1000:
        return
    table = Table("public", "t", (COLUMN,), size=size, pages=pages)
    found = pieces(Selected(table, (Field(COLUMN, COLUMN.form),)), most)
    assert found[0].first == 0
    assert found[-1].until is None
    assert all(one.until == other.first for one, other in itertools.pairwise(found))
    assert all(one.first < (one.until or pages + 1) for one in found)


@given(st.lists(st.text(min_size=1), unique=True, min_size=2, max_size=2))
def test_no_two_names_have_one_key(names):
    found = {keys.plain(name) for name in names}
    assert len(found) == 2
    assert all(
        sign.isascii() and (sign.isalnum() or sign in "._-!") for key in found for sign in key
    )
