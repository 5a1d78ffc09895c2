"""The graph runner: order, parallelism, what happens after an error."""

import threading

import pytest

from flows.graph import Job, gather, heights, run_graph
from haven.errors import Failed, Unavailable


def test_each_job_comes_after_what_it_needs():
    order: list[str] = []
    jobs = [
        Job("c", ("a", "b"), lambda: order.append("c")),
        Job("b", ("a",), lambda: order.append("b")),
        Job("a", ("outside",), lambda: order.append("a")),
    ]
    laps = run_graph(jobs, workers=4)
    assert order == ["a", "b", "c"]
    assert {lap.name for lap in laps} == {"a", "b", "c"}


def test_independent_jobs_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=10)
    results = gather(dict.fromkeys("abc", meeting.wait), workers=3)
    assert sorted(results.values()) == [0, 1, 2]


def test_after_an_error_no_dependent_starts_and_the_first_error_comes_out():
    started: list[str] = []

    def fail():
        raise Failed("it broke")

    jobs = [Job("a", (), fail), Job("b", ("a",), lambda: started.append("b"))]
    with pytest.raises(Failed, match="it broke"):
        run_graph(jobs, workers=2)
    assert started == []


def test_a_lost_lock_stops_further_jobs():
    started: list[str] = []

    def lost():
        if started:
            raise Unavailable("the lock was lost")

    jobs = [
        Job("a", (), lambda: started.append("a")),
        Job("b", ("a",), lambda: started.append("b")),
    ]
    with pytest.raises(Unavailable, match="the lock was lost"):
        run_graph(jobs, workers=2, before_each=lost)
    assert started == ["a"]


def test_the_longest_chain_is_started_first():
    order: list[str] = []

    def job(name, *needs):
        return Job(name, needs, lambda: order.append(name))

    jobs = [job("alone"), job("also alone"), job("c", "b"), job("b", "a"), job("a")]
    assert heights(jobs) == {"alone": 0, "also alone": 0, "c": 0, "b": 1, "a": 2}
    run_graph(jobs, workers=1)
    assert order[0] == "a"
