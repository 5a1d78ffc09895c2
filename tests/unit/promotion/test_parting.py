"""What became of each row, by what both sides say of it."""

import pytest

from haven.promotion.parting import Fate, Parted, differs, part, part_at_rest
from haven.verification.fingerprint import Standing, Sum
from haven.verification.rows import Seen, Written

BEFORE, AFTER, DURING = Written.BEFORE, Written.AFTER, Written.DURING


@pytest.mark.parametrize(
    ("old", "new", "fate"),
    [
        (Seen(1, 5, BEFORE), Seen(1, 5, BEFORE), None),
        (Seen(1, 5, AFTER), None, Fate.LOST),
        (Seen(1, 5, DURING), None, Fate.LOST),
        (Seen(1, 6, AFTER), Seen(1, 5, BEFORE), Fate.CHANGE_LOST),
        (None, Seen(1, 5, BEFORE), Fate.DELETION_LOST),
        (Seen(1, 6, AFTER), Seen(1, 7, AFTER), Fate.BOTH_WROTE),
        # Received after the snapshot was taken, and before the promotion.
        (Seen(1, 5, AFTER), Seen(1, 5, AFTER), None),
        (Seen(1, 5, DURING), Seen(1, 5, BEFORE), None),
        # The new primary has gone on.
        (Seen(1, 5, BEFORE), None, None),
        (Seen(1, 5, BEFORE), Seen(1, 6, AFTER), None),
        (None, Seen(1, 5, AFTER), None),
    ],
)
def test_what_became_of_a_row(old: Seen | None, new: Seen | None, fate: Fate | None) -> None:
    parted = part([old] if old else [], [new] if new else [])
    assert parted.count == (fate is not None)
    assert fate is None or parted.keys[fate] == [1]


def test_rows_of_several_buckets_add_up() -> None:
    total = Parted()
    total.add(part([Seen(1, 5, AFTER)], []))
    total.add(part([Seen(2, 5, AFTER), Seen(3, 5, BEFORE)], [Seen(4, 5, BEFORE)]))
    assert total.keys[Fate.LOST] == [1, 2]
    assert total.keys[Fate.DELETION_LOST] == [4]
    assert total.count == 3


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (Standing(), Standing(), False),
        (Standing(Sum(2, 9)), Standing(Sum(2, 9), after=Sum(5, 1)), False),
        (Standing(Sum(2, 9)), Standing(Sum(1, 4)), True),
        (Standing(Sum(2, 9), after=Sum(1, 1)), Standing(Sum(2, 9)), True),
        (Standing(Sum(2, 9), during=Sum(1, 1)), Standing(Sum(2, 9)), True),
    ],
)
def test_only_what_differs_is_looked_into(old: Standing, new: Standing, wanted: bool) -> None:
    assert differs(old, new) is wanted


def test_against_a_side_at_rest_every_row_counts_and_no_time() -> None:
    old = [Seen(1, 5, AFTER), Seen(2, 6, BEFORE), Seen(4, 9, AFTER)]
    new = [Seen(1, 5, AFTER), Seen(2, 7, AFTER), Seen(3, 8, AFTER)]
    parted = part_at_rest(old, new)
    assert parted.keys == {
        Fate.LOST: [4],
        Fate.CHANGE_LOST: [2],
        Fate.DELETION_LOST: [3],
        Fate.BOTH_WROTE: [],
    }
    assert differs(Standing(after=Sum(1, 5)), Standing(Sum(1, 6)), still=True)
    assert not differs(Standing(after=Sum(1, 5)), Standing(Sum(1, 5)), still=True)
