"""The sweep of AWS faults: every call site meets every kind of fault, then runs without."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import botocore.session

from tests.fault.cases import Case, Reference, Tried, compare, recover
from tests.fault.child import Job
from tests.fault.ground import Ground
from tests.fault.points import Point

TIMEOUT = 2.5
ALWAYS = 100_000
# By kind: what is armed. An operation's own codes are filled in below.
KINDS: dict[str, dict[str, Any]] = {
    "throttled": {"kind": "error", "code": "Throttling", "status": 400, "times": 2},
    "500": {"kind": "error", "code": "InternalFailure", "status": 500, "times": 2},
    "503": {"kind": "error", "code": "ServiceUnavailable", "status": 503, "times": 2},
    "time-out before the effect": {"kind": "silence", "seconds": TIMEOUT},
    "time-out after the effect": {"kind": "late-silence", "seconds": TIMEOUT},
    "reset before the effect": {"kind": "reset"},
    "reset after the effect": {"kind": "late-reset"},
    "500 after the effect": {"kind": "late-error", "code": "InternalFailure", "status": 500},
    "not found yet": {"kind": "error", "status": 404, "times": 2},
    "stale read": {"kind": "stale"},
    "expired token": {"kind": "error", "code": "ExpiredToken", "status": 403, "times": ALWAYS},
    "access denied": {"kind": "error", "code": "AccessDenied", "status": 403, "times": ALWAYS},
    "half an answer": {"kind": "cut"},
    "slow answer": {"kind": "slow", "seconds": 1.0},
}
READS = ("Describe", "Get", "List", "Head", "BatchGet")
# Reads of one thing by its name; a list of all things is never not found.
NAMED_READS = ("Describe", "Get", "Head")
READS_ONLY = ("not found yet", "stale read")
# How a run may end that does not converge at once.
ERRORS = {"access denied": {"Refused"}}
RESUMABLE = {"Unavailable"}


def aws_faults(wanted: Reference, seed: int) -> list[Case]:
    """Return one case for each call site and kind of fault that can happen there."""
    sites = _sites(wanted.points)
    cases = []
    for (service, operation), steps in sorted(sites.items()):
        for kind, fault in _possible(service, operation):
            for skip in range(len(steps)):
                if kind == "not found yet" and not steps[skip]:
                    continue
                name = f"{kind} at {service}:{operation}, after {skip}"
                armed = {**fault, "service": service, "operation": operation, "skip": skip}
                attempt = _hindered(name, kind, armed)
                cases.append(Case(name, f"{kind} {service}:{operation}", attempt))
    random.Random(seed).shuffle(cases)  # noqa: S311  # a seeded order, not a secret
    return [*_storms(sites), *cases]


def _storms(sites: Mapping[tuple[str, str], Sequence[bool]]) -> Iterator[Case]:
    """Yield one case for each kind that passes: it happens at every operation in the same run."""
    for kind, general in KINDS.items():
        if kind in READS_ONLY or general.get("times") == ALWAYS:
            continue
        faults = [
            {**fault, "service": service, "operation": operation, "times": (len(steps) + 1) // 2}
            for (service, operation), steps in sites.items()
            for name, fault in _possible(service, operation)
            if name == kind
        ]
        name = f"storm: {kind} at every operation"
        yield Case(name, name, _hindered(name, kind, *faults))


def _sites(points: Iterable[Point]) -> dict[tuple[str, str], list[bool]]:
    """Return for each operation its calls, and of each whether its step made something.

    Looks come before changes, so the calls that follow a creation are the last ones.
    """
    labels = [point.label for point in points if point.side == "before"]
    making = {label.split(" in ")[1] for label in labels if ":Create" in label}
    sites: dict[tuple[str, str], list[bool]] = {}
    for label in labels:
        call, _, step = label.partition(" in ")
        sort, _, name = call.partition(" ")
        if sort == "aws":
            service, _, operation = name.partition(":")
            sites.setdefault((service, operation), []).append(step in making)
    return {site: sorted(after) for site, after in sites.items()}


def _possible(service: str, operation: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, fault in KINDS.items():
        if kind in READS_ONLY and not operation.startswith(READS):
            continue
        if kind == "not found yet":
            code = _not_found(service, operation)
            if code and operation.startswith(NAMED_READS):
                yield kind, {**fault, "code": code}
        elif kind == "throttled" and service == "s3":
            yield kind, {**fault, "code": "SlowDown", "status": 503}
        else:
            yield kind, fault


def _not_found(service: str, operation: str) -> str:
    """Return the code with which an operation says that there is no such thing, if it can."""
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    for shape in model.error_shapes:
        if "NotFound" in shape.name or "NoSuch" in shape.name:
            return str(shape.error_code)
    return ""


def _hindered(
    name: str, kind: str, *faults: dict[str, Any]
) -> Callable[[Ground, Reference], Tried]:
    def attempt(ground: Ground, wanted: Reference) -> Tried:
        ground.bring(wanted.operation)
        tried = Tried(name)
        for fault in faults:
            ground.control("POST", "faults", fault)
        ended = ground.run(Job(wanted.operation))
        met = sum(item["met"] for item in ground.control("GET", "faults")["faults"])
        ground.control("DELETE", "faults")
        tried.reached = met > 0
        tried.how = f"met {met} times, {ended.kind} in {ended.seconds} s"
        if ended.status == 0:
            compare(ground, wanted, tried)
            return tried
        if ended.kind not in ERRORS.get(kind, RESUMABLE):
            tried.wrong.append(f"it ended with {ended.kind}: {ended.text} {ended.said[-800:]}")
        recover(ground, wanted, tried)
        return tried

    return attempt
