"""What goes wrong on the way: before the point of no return all is undone, after it finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flows.heartbeat import beat_once
from flows.promotion_scene import look
from haven.errors import Refused
from tasks.fence import look_at_fence
from tests.local.promote.conftest import (
    by_proxy,
    control,
    disturb,
    login,
    primary,
    promote,
    refusal,
    until,
    writing,
)
from tests.local.provision.conftest import Place

ENVIRONMENT = "faulty"
PREFIX = f"haven-tests-{ENVIRONMENT}"
REPLICA = f"{PREFIX}-replica-1"


@contextmanager
def denied(stack: Place, operation: str) -> Iterator[None]:
    """Let a request be refused for a block, however often it is made."""
    how = {"kind": "error", "code": "AccessDenied", "operation": operation}
    control(stack, "faults", status=403, times=1000, **how)
    try:
        yield
    finally:
        control(stack, "faults", method="DELETE")


@pytest.mark.parametrize("operation", ["DeregisterDBProxyTargets", "PromoteReadReplica"])
def test_before_the_point_of_no_return_the_primary_is_opened_again(
    stack: Place, operation: str
) -> None:
    beat_once(stack.settings)
    with denied(stack, operation):
        error = refusal(stack, candidate=REPLICA, confirm=REPLICA)
    assert isinstance(error, Refused)
    assert any("was opened again" in note for note in error.__notes__)
    scene = look(stack.run())
    assert scene.mark is None
    assert look_at_fence(login(scene, "master")).is_down
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 3)


def test_a_paused_replica_is_not_promoted_and_says_why(stack: Place) -> None:
    beat_once(stack.settings)
    disturb(stack, "pause-replay", REPLICA)
    try:
        error = refusal(stack, candidate=REPLICA, confirm=REPLICA)
    finally:
        disturb(stack, "resume-replay", REPLICA)
    assert "it does not replay what it receives. Resume it" in str(error)


def test_a_replica_that_is_cut_off_is_not_promoted_and_another_one_is_offered(stack: Place) -> None:
    beat_once(stack.settings)
    disturb(stack, "cut-link", REPLICA)
    try:
        error = refusal(stack, candidate=REPLICA, confirm=REPLICA)
        report = promote(stack, dry_run=True)
    finally:
        disturb(stack, "restore-link", REPLICA)
    assert "it is not fed by the primary" in str(error)
    assert [step.subject for step in report.steps][1] == f"{PREFIX}-dr"
    assert any("it is not fed" in text for text in report.details)


@pytest.mark.parametrize("operation", ["RegisterDBProxyTargets", "CreateDBInstanceReadReplica"])
def test_after_the_point_of_no_return_the_next_run_finishes(stack: Place, operation: str) -> None:
    candidate = look(stack.run()).replicas
    name = next(item.name for item in candidate if item.region == "us-east-1")
    until(lambda: _is_fed(stack, name))
    with denied(stack, operation):
        error = refusal(stack, candidate=name, confirm=name)
    assert isinstance(error, Refused)
    run = stack.run()
    assert any(item.mark for item in run.sight.members)
    report = promote(stack, confirm=name)
    assert report.promoted == name
    assert primary(look(stack.run())).name == name
    assert stack.provision(dry_run=True).steps == []


def _is_fed(stack: Place, name: str) -> bool:
    """Beat, and see whether a switch-over to a replica would be agreed to."""
    beat_once(stack.settings)
    try:
        return bool(promote(stack, dry_run=True, candidate=name).steps)
    except Refused:
        return False
