"""Two at once: whatever two operations do beside each other, one of the two orders is the outcome."""

import random
from collections.abc import Callable
from typing import Any

from haven import evidence
from tests.fault.cases import Case, Reference, Tried, differences
from tests.fault.child import Job
from tests.fault.ground import PATIENCE, Ended, Ground
from tests.fault.operations import OPERATIONS

OFFSETS = 4
LATEST = 2.5
# A run that met another one may end so, and is then run again.
AGAIN = ("Conflict", "Unavailable")
Outcome = dict[str, Any]
# Nobody is killed, so that nobody may lose the lock, however slow the machine is.
HELD = {"lock_lease": 60.0}


def pairs(wanted: Reference, seed: int) -> list[Case]:
    """Return an operation beside each one, itself too, at seeded offsets."""
    chance = random.Random(seed)  # noqa: S311  # a seeded choice, not a secret
    cases = []
    for second in OPERATIONS:
        for start in _starts(wanted.operation, second):
            for _ in range(OFFSETS):
                offset = round(chance.uniform(0, LATEST), 2)
                after = " and ".join(start) or "nothing"
                name = f"{second}, {offset} s after {wanted.operation} began, on {after}"
                attempt = _beside(name, wanted.operation, second, start, offset)
                cases.append(Case(name, second, attempt))
    return cases


def _starts(first: str, second: str) -> list[tuple[str, ...]]:
    """Return the grounds on which both make sense: what either needs, and none for provision."""
    needed = tuple(dict.fromkeys((*OPERATIONS[first].start, *OPERATIONS[second].start)))
    if "provision" in (first, second):
        return sorted({(), needed})
    return [needed]


def _beside(
    name: str, first: str, second: str, start: tuple[str, ...], offset: float
) -> Callable[[Ground, Reference], Tried]:
    def attempt(ground: Ground, _wanted: Reference) -> Tried:
        tried = Tried(name)
        allowed = [_serial(ground, start, order) for order in ((first, second), (second, first))]
        ground.prepare(start)
        children = [
            (first, ground.start(Job(first, settings=HELD))),
            (second, ground.start(Job(second, settings=HELD, delay=offset))),
        ]
        ended = [(operation, child.wait()) for operation, child in children]
        tried.how = ", ".join(f"{operation} {end.kind}" for operation, end in ended)
        if _at_once(*(end for _, end in ended)):
            tried.wrong.append("both held the stack's lock at the same time")
        for (operation, end), (_, other) in zip(ended, reversed(ended), strict=True):
            _judge(tried, operation, end)
            ready = start or not OPERATIONS[operation].start or _was_over(other, end.began)
            if ready and end.kind == "Unavailable" and _take_turns(first, second):
                tried.wrong.append(f"{operation} had no lock for itself: {end.text}")
            if end.kind in AGAIN:
                _judge(tried, operation, ground.run(Job(operation, patience=PATIENCE)))
        found = ground.inventory()
        if found not in allowed:
            tried.wrong += ["neither order:", *differences(allowed[0], found)]
        tried.wrong += evidence.broken_links(ground.evidence())
        return tried

    return attempt


def _at_once(one: Ended, other: Ended) -> bool:
    """Tell whether both held the stack's lock at the same time."""
    return any(
        begin < other_end and other_begin < end
        for begin, end in one.held
        for other_begin, other_end in other.held
    )


def _was_over(other: Ended, moment: float) -> bool:
    """Tell whether the other one had made what it makes at a moment, and let go of the lock."""
    return other.status == 0 and bool(other.held) and max(end for _, end in other.held) < moment


def _take_turns(*operations: str) -> bool:
    """Tell whether the stack's lock lets only one of them work; destroy removes that lock too."""
    return all(
        not OPERATIONS[operation].own_lock and operation != "destroy" for operation in operations
    )


def _judge(tried: Tried, operation: str, end: Ended) -> None:
    if end.status not in (0, 1):
        tried.wrong.append(f"{operation} ended with {end.kind}: {end.text} {end.said[-800:]}")


_SERIAL: dict[tuple[tuple[str, ...], tuple[str, str]], Outcome] = {}


def _serial(ground: Ground, start: tuple[str, ...], order: tuple[str, str]) -> Outcome:
    """Return what one order leaves; each is run once a process."""
    if (start, order) not in _SERIAL:
        ground.prepare(start)
        for operation in order:
            ground.run(Job(operation))
        _SERIAL[start, order] = ground.inventory()
    return _SERIAL[start, order]
