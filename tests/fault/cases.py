"""What all sweeps share: a case to try, what an unhindered run leaves, and how it is compared."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from haven import evidence
from tests.fault.child import Job
from tests.fault.ground import PATIENCE, Ground
from tests.fault.operations import OPERATIONS
from tests.fault.points import Point


@dataclass(frozen=True, slots=True)
class Reference:
    """The points that an unhindered run of an operation reaches, and what it leaves."""

    operation: str
    points: list[Point]
    inventory: dict[str, Any]


@dataclass(slots=True)
class Tried:
    """One case that was tried: how it went, and everything that was wrong with it.

    ``reached`` is false where the run ended before its fault could happen.
    """

    case: str
    how: str = ""
    reached: bool = True
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a sweep; ``kind`` groups those that a sample takes one of."""

    name: str
    kind: str
    attempt: Callable[[Ground, Reference], Tried]


def reference(ground: Ground, operation: str) -> Reference:
    """Run an operation without any fault."""
    ground.bring(operation)
    ended = ground.run(Job(operation))
    if ended.status:
        raise RuntimeError(f"{operation} fails without any fault: {ended.text} {ended.said}")
    return Reference(operation, sorted(set(ended.points)), ground.inventory())


def recover(ground: Ground, wanted: Reference, tried: Tried) -> None:
    """Run again without faults; note what differs from an unhindered run."""
    ended = ground.run(Job(wanted.operation, patience=PATIENCE))
    if ended.status:
        tried.wrong.append(f"the run after it: {ended.kind} {ended.text} {ended.said[-600:]}")
        return
    compare(ground, wanted, tried)


def compare(ground: Ground, wanted: Reference, tried: Tried) -> None:
    """Hold what stands against what an unhindered run leaves."""
    tried.wrong += differences(wanted.inventory, ground.inventory())
    if ground.lock().get("held"):
        tried.wrong.append("the lock is still held")
    tried.wrong += broken_evidence(ground)
    tried.wrong += OPERATIONS[wanted.operation].after(ground.account, ground.cloud.ca_bundle)


def broken_evidence(ground: Ground) -> list[str]:
    """Say what is wrong with the chain, or with what its last record says."""
    bodies = ground.evidence()
    wrong = evidence.broken_links(bodies)
    if bodies and b'"outcome": "succeeded"' not in bodies[-1]:
        wrong.append("the last record of evidence does not say that the run succeeded")
    return wrong


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Name every entry that differs, with the first place where it does."""
    missing = [f"missing: {name}" for name in sorted(wanted.keys() - found.keys())]
    extra = [f"left over: {name}" for name in sorted(found.keys() - wanted.keys())]
    other = [
        f"{name}: {_first_difference(wanted[name], found[name])}"
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name] != found[name]
    ]
    return missing + extra + other


def _first_difference(wanted: Any, found: Any, path: str = "") -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key):
                return _first_difference(wanted.get(key), found.get(key), f"{path}.{key}")
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (left, right) in enumerate(zip(wanted, found, strict=True)):
            if left != right:
                return _first_difference(left, right, f"{path}[{number}]")
    return f"{path} was {wanted!r:.200}, is {found!r:.200}"


def sample(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    """Choose cases: one of each kind first, then any; all when there are no more."""
    chosen = list(cases)
    random.Random(seed).shuffle(chosen)  # noqa: S311  # a seeded choice, not a secret
    kinds: dict[str, list[Case]] = {}
    for case in chosen:
        kinds.setdefault(case.kind, []).append(case)
    first = [group[0] for group in kinds.values()]
    rest = [case for group in kinds.values() for case in group[1:]]
    return (first + rest)[:size]
