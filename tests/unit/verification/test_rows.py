"""Rows of a restored copy against those of a manifest: what is equal, explained, or a failure."""

import pytest

from haven.verification.rows import Known, Seen, Written, Wrong, compare, packed, unpack

UNTIL = 1_000.0
A, B, C = Known(1, 11), Known(2, 22), Known(3, 33)


def as_it_was(row):
    return Seen(row.key, row.whole, Written.BEFORE)


def judged(known, seen):
    """Return equal, written since, gone by rule, and what is unexplained."""
    tally = compare(known, seen, UNTIL)
    wrong = sorted((row.key, row.what) for row in tally.unexplained)
    return tally.equal, tally.written_since, tally.gone_by_rule, wrong


@pytest.mark.parametrize(
    ("known", "seen", "expected"),
    [
        ([], [], (0, 0, 0, [])),
        ([A, B], [as_it_was(B), as_it_was(A)], (2, 0, 0, [])),
        ([A, A], [as_it_was(A), as_it_was(A)], (2, 0, 0, [])),
        ([A], [Seen(1, 99, Written.AFTER)], (0, 1, 0, [])),
        ([A], [Seen(1, 99, Written.DURING)], (0, 1, 0, [])),
        ([], [Seen(1, 11, Written.AFTER)], (0, 1, 0, [])),
        ([A], [Seen(1, 11, Written.AFTER)], (1, 0, 0, [])),
        ([Known(1, 11, 999)], [], (0, 0, 1, [])),
        ([Known(1, 11, 1_001)], [], (0, 0, 0, [(1, Wrong.MISSING)])),
        ([A, B], [as_it_was(A)], (1, 0, 0, [(2, Wrong.MISSING)])),
        ([A, A], [as_it_was(A)], (1, 0, 0, [(1, Wrong.MISSING)])),
        ([A], [as_it_was(A), as_it_was(A)], (1, 0, 0, [(1, Wrong.EXTRA)])),
        ([], [as_it_was(A)], (0, 0, 0, [(1, Wrong.EXTRA)])),
        ([A], [Seen(1, 99, Written.BEFORE)], (0, 0, 0, [(1, Wrong.DIFFERENT)])),
        ([A], [Seen(1, 99, Written.LATER)], (0, 0, 0, [(1, Wrong.LATER)])),
        ([A], [Seen(1, 11, Written.LATER)], (0, 0, 0, [(1, Wrong.LATER)])),
        ([], [Seen(1, 11, Written.LATER)], (0, 0, 0, [(1, Wrong.LATER)])),
        # A row that is missing is not excused by another one that was written since.
        ([A, B], [as_it_was(A), Seen(3, 33, Written.AFTER)], (1, 1, 0, [(2, Wrong.MISSING)])),
        (
            [A, B],
            [Seen(1, 22, Written.BEFORE), Seen(2, 11, Written.BEFORE)],
            (0, 0, 0, [(1, Wrong.DIFFERENT), (2, Wrong.DIFFERENT)]),
        ),
    ],
)
def test_each_row_is_equal_explained_or_a_failure(known, seen, expected):
    assert judged(known, seen) == expected


@pytest.mark.parametrize(
    ("numbers", "losing", "rows"),
    [
        ([], False, []),
        ([1, -11, -2, 22], False, [Known(1, -11), Known(-2, 22)]),
        (
            [1, 11, 5, 2**63 - 1, -(2**63), 6],
            True,
            [Known(1, 11, 5), Known(2**63 - 1, -(2**63), 6)],
        ),
    ],
)
def test_packed_rows_are_read_as_they_were_written(numbers, losing, rows):
    assert list(unpack(packed(numbers), losing=losing)) == rows


def test_packed_rows_are_the_same_on_every_machine():
    assert packed([1, -2]) == bytes(7) + b"\x01" + b"\xff" * 7 + b"\xfe"


def test_rows_of_some_buckets_are_read_alone():
    assert list(unpack(packed([1, 11, 2, 22, 3, 33]), losing=False, buckets={2})) == [B]


@pytest.mark.parametrize(("size", "losing"), [(17, False), (16, True)])
def test_what_is_no_whole_number_of_rows_is_refused(size, losing):
    with pytest.raises(ValueError, match=f"{size} bytes are no whole number"):
        list(unpack(bytes(size), losing=losing))


def test_without_a_key_a_row_written_since_passes_for_one_that_is_gone():
    tally = compare([A, B], [Seen(3, 33, Written.AFTER)], UNTIL)
    tally.excuse_replaced()
    assert [row.what for row in tally.unexplained] == [Wrong.MISSING]
    assert tally.written_since == 1
