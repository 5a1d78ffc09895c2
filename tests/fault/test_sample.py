"""A sample of the sweeps in a fixed time; ``python -m tests.fault`` runs them whole."""

import time

import pytest

from tests.fault.aws_faults import READS
from tests.fault.cases import Case, reference, sample
from tests.fault.ground import Ground, new_ground
from tests.fault.points import Point
from tests.fault.sweeps import SWEEPS, Result

pytestmark = pytest.mark.local

SEED = 20261123
SECONDS = 90.0
STORMS = ("500 after the effect", "reset before the effect")


def kind_of(point: Point) -> str:
    """Name the kind of call: AWS read or write, SQL, connect; before or after it."""
    sort, _, rest = point.label.partition(" ")
    name = rest.split(" in ")[0].rpartition(":")[2]
    if sort == "aws":
        sort += " read" if name.startswith(READS) else " write"
    return f"{point.side} {sort}"


def chosen(ground: Ground, operation: str, end: float, seen: set[str]) -> list[Result]:
    """Try one case of each kind not seen yet, then more of them until the time is over."""
    wanted = reference(ground, operation)
    kinds = {point.name: kind_of(point) for point in wanted.points}
    crashes = [
        Case(case.name, kinds[case.name], case.attempt) for case in SWEEPS["crash"](wanted, SEED)
    ]
    hindered = SWEEPS["aws"](wanted, SEED)
    names = {f"storm: {kind} at every operation" for kind in STORMS}
    storms = [case for case in hindered if case.name in names]
    results = []
    for sweep, total, cases in (
        ("aws", len(hindered), storms),
        ("crash", len(crashes), crashes),
    ):
        tried = []
        for case in sample(cases, len(cases), SEED):
            if case.kind in seen and time.monotonic() > end:
                break
            seen.add(case.kind)
            tried.append(case.attempt(ground, wanted))
        results.append(Result.of(sweep, operation, SEED, total, tried))
    return results


def test_runs_are_killed_and_hindered_and_come_out_equal(record_property):
    begin = time.monotonic()
    seen: set[str] = set()
    with new_ground() as ground:
        results = [
            *chosen(ground, "provision", begin + SECONDS * 2 / 3, seen),
            # Its statements are others than those of provision.
            *chosen(ground, "migrate", begin + SECONDS, seen - {"before sql", "after sql"}),
        ]
    for result in results:
        record_property("figures", result.sentence())
    assert [result.failures for result in results if result.failures] == []
