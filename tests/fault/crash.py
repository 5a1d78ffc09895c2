"""The crash sweeps: kill a run at a point, once or twice, run again, and compare."""

import random

from tests.fault.cases import Case, Reference, Tried, recover
from tests.fault.child import Job
from tests.fault.ground import PATIENCE, Ground
from tests.fault.operations import OPERATIONS
from tests.fault.points import Point

PAIRS = 100


def crashes(wanted: Reference, _seed: int) -> list[Case]:
    """Return one case for each point."""
    return [Case(point.name, point.label.split(" in ")[0], _once(point)) for point in wanted.points]


def double_crashes(wanted: Reference, seed: int) -> list[Case]:
    """Return seeded pairs: a point, and how far the recovery gets before it is killed too.

    A recovery from the start of a run has about as many points as the run, and less from there on.
    Where it ends before it got that far, both runs are made again for half as far.
    """
    chance = random.Random(seed)  # noqa: S311  # a seeded choice, not a secret
    cases = []
    for number in range(PAIRS):
        point, count = chance.choice(wanted.points), chance.randint(1, len(wanted.points))
        name = f"{point.name}, then the recovery at its point {count}"
        cases.append(Case(name, str(number), _twice(name, point, count)))
    return cases


def _once(point: Point):
    def attempt(ground: Ground, wanted: Reference) -> Tried:
        ground.bring(wanted.operation)
        tried = Tried(point.name)
        _kill(ground, Job(wanted.operation, target=point), tried)
        recover(ground, wanted, tried)
        return tried

    return attempt


def _twice(name: str, point: Point, count: int):
    def attempt(ground: Ground, wanted: Reference) -> Tried:
        tried, far = Tried(name), count
        while far:
            tried = Tried(name, f"{far}: ")
            ground.bring(wanted.operation)
            _kill(ground, Job(wanted.operation, target=point), tried)
            _kill(ground, Job(wanted.operation, at_count=far, patience=PATIENCE), tried)
            if tried.reached or tried.wrong:
                break
            far //= 2
        recover(ground, wanted, tried)
        return tried

    return attempt


def _kill(ground: Ground, job: Job, tried: Tried) -> None:
    """Run until the wire is reached; a run that never gets there may end well."""
    ended = ground.run(job)
    tried.how += "killed " if ended.killed else "not reached "
    tried.reached = tried.reached and ended.killed
    tried.wrong += OPERATIONS[job.operation].always(ground.account, ground.cloud.ca_bundle)
    if ended.status and not ended.killed:
        tried.wrong.append(f"it was not killed, but ended: {ended.kind} {ended.text}")
