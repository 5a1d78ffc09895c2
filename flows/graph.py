"""Carrying out a plan: every step as soon as what it needs is there, as many as may run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TypeVar

from haven.aws import CURRENT_STEP
from haven.errors import HavenError
from haven.waiting import SYSTEM_CLOCK

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do, under a name, after the jobs it needs; needs outside are satisfied."""

    name: str
    needs: Sequence[str]
    work: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Lap:
    """When a job ran, in seconds since the graph began."""

    name: str
    started: float
    finished: float


@dataclass(slots=True)
class _State:
    waiting: dict[str, Job]
    heights: Mapping[str, int]
    running: dict[Future[Lap], str] = field(default_factory=dict)
    laps: list[Lap] = field(default_factory=list)
    error: BaseException | None = None


def run_graph(
    jobs: Sequence[Job], *, workers: int, before_each: Callable[[], None] = lambda: None
) -> list[Lap]:
    """Run jobs in threads, each after its needs, and return when each ran.

    ``before_each`` may raise to stop starting more. After an error no further job starts;
    those at work are let finish, and the first error is raised.
    """
    state = _State({job.name: job for job in jobs}, heights(jobs))
    begin = time.monotonic()
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="haven") as pool:
        try:
            while state.waiting or state.running:
                _start_ready(state, pool, begin, before_each)
                if not state.running:
                    break
                done, _ = wait(state.running, return_when=FIRST_COMPLETED)
                for future in done:
                    _finish(state, future)
        except KeyboardInterrupt:
            SYSTEM_CLOCK.stop()
            raise
    if state.error is not None:
        raise state.error
    return state.laps


def heights(jobs: Sequence[Job]) -> dict[str, int]:
    """Return how many jobs follow each one in the longest chain of those that need it.

    Starting the highest first keeps the longest chain moving while workers are few.
    """
    dependents: dict[str, list[str]] = {job.name: [] for job in jobs}
    for job in jobs:
        for need in job.needs:
            if need in dependents:
                dependents[need].append(job.name)
    known: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in known:
            known[name] = max((1 + height(after) for after in dependents[name]), default=0)
        return known[name]

    return {name: height(name) for name in dependents}


def _start_ready(
    state: _State, pool: ThreadPoolExecutor, begin: float, before_each: Callable[[], None]
) -> None:
    if state.error is not None:
        return
    open_names = state.waiting.keys() | set(state.running.values())
    ready = [job for job in state.waiting.values() if open_names.isdisjoint(job.needs)]
    ready.sort(key=lambda job: -state.heights[job.name])
    try:
        for job in ready:
            before_each()
            del state.waiting[job.name]
            context = copy_context()
            future = pool.submit(context.run, _timed, job, begin)
            state.running[future] = job.name
    except HavenError as error:
        state.error = error


def _finish(state: _State, future: Future[Lap]) -> None:
    del state.running[future]
    error = future.exception()
    if error is None:
        state.laps.append(future.result())
    elif state.error is None:
        state.error = error
    else:
        state.error.add_note(f"Also: {error}")


def _timed(job: Job, begin: float) -> Lap:
    CURRENT_STEP.set(job.name)
    started = time.monotonic() - begin
    job.work()
    return Lap(job.name, started, time.monotonic() - begin)


def gather(work: Mapping[str, Callable[[], R]], *, workers: int) -> dict[str, R]:
    """Run independent jobs at the same time and return their results by name."""
    results: dict[str, R] = {}

    def keep(name: str, call: Callable[[], R]) -> Callable[[], None]:
        def run() -> None:
            results[name] = call()

        return run

    run_graph([Job(name, (), keep(name, call)) for name, call in work.items()], workers=workers)
    return results
