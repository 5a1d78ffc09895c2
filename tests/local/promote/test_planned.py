"""A planned switch-over."""

import json

from flows.heartbeat import beat_once
from tests.local.promote.conftest import promote
from tests.local.provision.conftest import Place

ENVIRONMENT = "planned"
PREFIX = f"haven-tests-{ENVIRONMENT}"


def show(report, stack):
    d = report.model_dump(mode="json")
    d.pop("steps")
    print(json.dumps(d, indent=1))
    again = stack.provision(dry_run=True)
    print([ (s.verb, s.subject, s.changes) for s in again.steps])

def test_planned(stack: Place) -> None:
    report = promote(stack, confirm=f"{PREFIX}-replica-1")
    show(report, stack)
    beat_once(stack.settings)
    report = promote(stack, confirm=f"{PREFIX}-dr-e2", candidate=f"{PREFIX}-dr-e2")
    show(report, stack)
    beat_once(stack.settings)
    report = promote(stack, mode="fail-back", confirm=f"{PREFIX}-dr-e3", candidate=f"{PREFIX}-dr-e3")
    show(report, stack)
    assert 0
