"""Whatever happened rightly to rows is explained, and whatever did not is found."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from haven.verification.fingerprint import (
    BUCKETS,
    Column,
    Relation,
    Standing,
    Sum,
    added,
    is_proven,
)
from haven.verification.rows import NEVER, Known, Seen, Written, compare
from haven.verification.share import choose, units_of

UNTIL = 1_000.0
NUMBERS = st.integers(-(2**63), 2**63 - 1)
ROWS = st.dictionaries(NUMBERS, NUMBERS, max_size=30)
NEWER = st.sampled_from([Written.AFTER, Written.DURING])


@st.composite
def histories(draw):
    """Rows, and what rightly became of each: nothing, an update, or its end by a rule."""
    known, seen = [], []
    for key, whole in draw(ROWS).items():
        match draw(st.sampled_from(["same", "updated", "gone by rule"])):
            case "same":
                known.append(Known(key, whole))
                seen.append(Seen(key, whole, Written.BEFORE))
            case "updated":
                known.append(Known(key, whole))
                seen.append(Seen(key, draw(NUMBERS), draw(NEWER)))
            case _:
                known.append(Known(key, whole, draw(st.integers(0, int(UNTIL)))))
    taken = {row.key for row in known}
    added_keys = draw(
        st.lists(NUMBERS.filter(lambda key: key not in taken), unique=True, max_size=5)
    )
    seen += [Seen(key, draw(NUMBERS), draw(NEWER)) for key in added_keys]
    return known, draw(st.permutations(seen))


@given(histories())
def test_what_happened_rightly_is_explained(history):
    known, seen = history
    tally = compare(known, seen, UNTIL)
    assert tally.unexplained == []
    assert tally.equal + tally.written_since == len(seen)
    assert tally.equal <= len(known)


@given(histories(), st.data())
def test_a_row_that_is_lost_is_found(history, data):
    known, seen = history
    old = [row for row in seen if row.written is Written.BEFORE]
    may_go = {row.key for row in known if row.may_go != NEVER}
    if not old:
        return
    lost = data.draw(st.sampled_from(old))
    left = [row for row in seen if row is not lost]
    found = compare(known, left, UNTIL).unexplained
    assert [row.key for row in found] == [lost.key]
    assert lost.key not in may_go


@given(histories(), st.data(), NUMBERS)
def test_a_row_that_was_changed_behind_every_transaction_is_found(history, data, whole):
    known, seen = history
    old = [row for row in seen if row.written is Written.BEFORE and row.whole != whole]
    if not old:
        return
    changed = data.draw(st.sampled_from(old))
    now = [Seen(row.key, whole, row.written) if row is changed else row for row in seen]
    assert [row.key for row in compare(known, now, UNTIL).unexplained] == [changed.key]


@given(histories())
def test_a_bucket_that_passes_by_its_sums_passes_row_by_row(history):
    known, seen = history
    parts = [
        added(Sum(1, row.whole) for row in seen if row.written is written) for written in Written
    ]
    wanted = added(Sum(1, row.whole) for row in known)
    if is_proven(wanted, Standing(*parts)):
        assert compare(known, seen, UNTIL).unexplained == []


@given(st.integers(-1, 10**12), st.integers(0, 10**12))
def test_units_cover_a_relation_once(rows, size):
    units = units_of(Relation("s", "t", (Column("id"),), size=size, estimate=rows))
    covered = [bucket for unit in units for bucket in range(unit.span.first, unit.span.last + 1)]
    assert covered == list(range(BUCKETS))


@given(st.lists(st.integers(0, 1_000), max_size=20), st.integers(1, 5_000))
def test_no_share_is_over_its_budget_but_for_one_unit(sizes, budget):

    relations = [
        Relation("s", f"t{number}", (Column("id"),), size=size, estimate=1)
        for number, size in enumerate(sizes)
    ]
    share = choose(relations, {}, budget, datetime(2026, 1, 1, tzinfo=UTC))
    assert len(share.units) <= 1 or sum(unit.bytes for unit in share.units) <= budget
    assert len(share.units) + len(share.left) == len(relations)
