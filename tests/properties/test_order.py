"""Whatever needs what: each comes after what it needs, and a circle is told."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.graph import Job, heights, run_graph
from haven.errors import InvalidRequest
from haven.migrations.files import Migration
from haven.migrations.order import chained, check_order
from haven.plan import Step, Verb, in_order

MOST = 12
edges = st.sets(st.tuples(st.integers(0, MOST), st.integers(0, MOST)), max_size=25)


def needs_of(pairs):
    """Return needs without a circle: from a higher to a lower number only."""
    needs: dict[int, list[int]] = {}
    for one, other in pairs:
        if one != other:
            needs.setdefault(max(one, other), []).append(min(one, other))
    return needs


def steps_of(numbers, needs):
    return [
        Step(Verb.APPLY, str(item), "", needs=tuple(str(need) for need in needs.get(item, ())))
        for item in numbers
    ]


@given(st.permutations(range(MOST)), edges)
def test_each_step_comes_after_what_it_needs(numbers, pairs):
    steps = steps_of(numbers, needs_of(pairs))
    ordered = in_order(steps)
    assert sorted(ordered, key=str) == sorted(steps, key=str)
    there = {step.subject for step in steps}
    seen: set[str] = set()
    for step in ordered:
        assert seen.issuperset(there.intersection(step.needs))
        seen.add(step.subject)
    assert in_order(ordered) == ordered


@given(st.permutations(range(MOST)), edges, st.integers(2, MOST))
def test_a_circle_is_told_with_everything_in_it(numbers, pairs, length):
    needs = needs_of(pairs)
    for one, other in pairwise((*range(length), 0)):
        needs.setdefault(one, []).append(other)
    with pytest.raises(ValueError, match="these need each other: ") as caught:
        in_order(steps_of(numbers, needs))
    told = str(caught.value).removeprefix("these need each other: ").split(", ")
    assert {str(item) for item in range(length)} <= set(told)


@given(st.permutations(range(MOST)), edges, st.integers(1, 4))
def test_each_job_runs_once_and_after_what_it_needs(numbers, pairs, workers):
    needs = needs_of(pairs)
    ran: list[int] = []
    jobs = [
        Job(str(item), [str(need) for need in needs.get(item, ())], partial(ran.append, item))
        for item in numbers
    ]
    laps = run_graph(jobs, workers=workers)
    assert sorted(ran) == sorted(numbers)
    ended = {lap.name: lap.finished for lap in laps}
    for lap in laps:
        for need in needs.get(int(lap.name), ()):
            assert need not in numbers or ended[str(need)] <= lap.started


@given(st.permutations(range(MOST)), edges)
def test_a_job_stands_higher_than_all_that_need_it(numbers, pairs):
    needs = needs_of(pairs)
    high = heights([Job(str(i), [str(n) for n in needs.get(i, ())], int) for i in numbers])
    for item in numbers:
        for need in needs.get(item, ()):
            assert str(need) not in high or high[str(need)] > high[str(item)]


@given(st.lists(st.integers(0, 9), max_size=9))
def test_numbers_of_files_are_one_two_three_or_refused(numbers):
    files = [
        Migration(n, f"{n:02}_{i}.sql", Path("x"), "", "") for i, n in enumerate(sorted(numbers))
    ]
    if sorted(numbers) == list(range(1, len(numbers) + 1)):
        check_order(files)
    else:
        with pytest.raises(InvalidRequest, match="Nothing was touched"):
            check_order(files)


@given(st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=6), st.data())
def test_the_chain_tells_content_and_order(checksums, data):
    links = chained(checksums)
    cut = data.draw(st.integers(0, len(checksums)))
    assert chained(checksums[:cut]) == links[:cut]
    other = data.draw(st.permutations(checksums))
    assert (chained(other)[-1:] == links[-1:]) == (other == checksums)
