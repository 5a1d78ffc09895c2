"""A planned switch-over: nothing acknowledged is lost, nobody writes to what was left."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flows.approval import ASK, Answer, Question
from flows.check_heartbeat import CheckHeartbeatParameters, check_heartbeat
from flows.frame import open_run
from flows.heartbeat import Heart, beat_once
from flows.migrate import MigrateParameters, migrate
from flows.promotion_models import PromoteReport
from flows.promotion_scene import look
from flows.promotion_switch import close_database
from flows.rotate_credentials import Mode as Rotation
from flows.rotate_credentials import RotateParameters, rotate_credentials
from flows.secret_check import secret_check
from flows.status import status
from flows.verification_models import VerifyParameters
from flows.verify_backup import verify_backup
from haven.errors import Conflict, HavenError, InvalidRequest, Refused, Unavailable
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark
from haven.stack import names
from haven.verification.choice import Kind
from haven.waiting import SYSTEM_CLOCK
from tasks.fence import look_at_fence
from tasks.heartbeat import last_beat
from tasks.members import tag_member
from tasks.probes import try_login
from tests.local.promote.conftest import (
    by_proxy,
    disturb,
    keys_of,
    login,
    primary,
    promote,
    refusal,
    until,
    writing,
)
from tests.local.provision.conftest import Place

ENVIRONMENT = "planned"
PREFIX = f"haven-tests-{ENVIRONMENT}"
REPLICA = f"{PREFIX}-replica-1"


def test_a_plan_says_whom_and_touches_nothing(stack: Place) -> None:
    report = promote(stack, dry_run=True)
    assert [step.subject for step in report.steps] == [f"{PREFIX}-primary", REPLICA, "proxy"]
    assert report.loss is not None
    assert report.loss.text == "0 rows, 0 bytes of WAL, 0 s"
    assert report.aws_writes == 0


@pytest.mark.parametrize(
    ("parameters", "kind", "words"),
    [
        ({}, Refused, f"--param confirm={REPLICA}"),
        ({"confirm": f"{PREFIX}-primary"}, Refused, f"--param confirm={REPLICA}"),
        ({"candidate": "nobody", "confirm": "nobody"}, Refused, "it is no replica of"),
        ({"mode": "emergency", "confirm": REPLICA, "watch_seconds": 0}, Refused, "it answers"),
        ({"mode": "fail-back", "confirm": REPLICA}, Refused, "at home already"),
    ],
)
def test_what_is_refused_touches_nothing(stack: Place, parameters, kind, words) -> None:
    error = refusal(stack, **parameters)
    assert isinstance(error, kind)
    assert words in str(error)
    assert "Nothing was touched." in str(error)
    scene = look(stack.run())
    assert scene.mark is None
    assert look_at_fence(login(scene, "master")).is_down


def test_a_replica_that_does_not_come_along_is_left_and_all_is_as_it_was(stack: Place) -> None:
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 10)
        beat_once(stack.settings)
        disturb(stack, "delay-replay", REPLICA, seconds=50)
        try:
            error = refusal(stack, confirm=REPLICA, candidate=REPLICA, drain_seconds=0.5)
        finally:
            disturb(stack, "delay-replay", REPLICA, seconds=0)
        before = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > before)
    assert isinstance(error, Unavailable)
    assert any("was opened again" in note for note in error.__notes__)
    scene = look(stack.run())
    assert scene.mark is None
    assert look_at_fence(login(scene, "master")).is_down
    assert stack.provision(dry_run=True).steps == []


def test_what_a_killed_run_has_closed_is_told_and_opened_by_abort(stack: Place) -> None:
    scene = look(stack.run())
    (member,) = [item for item in scene.replicas if item.name == REPLICA]
    mark = Mark(Mode.PLANNED, 2, datetime.now(UTC))
    tag_member(stack.run().site, member, {names.TAG_PROMOTION: mark.text})
    close_database(scene, primary(scene))
    for act in (
        stack.provision,
        lambda: migrate(stack.run(), MigrateParameters()),
        lambda: check_heartbeat(stack.run(), CheckHeartbeatParameters()),
    ):
        with pytest.raises(Conflict, match="is under way"):
            act()
    assert isinstance(refusal(stack, candidate=f"{PREFIX}-dr", confirm=f"{PREFIX}-dr"), Conflict)
    promote(stack, mode="abort")
    assert look(stack.run()).mark is None
    beat_once(stack.settings)
    assert stack.provision(dry_run=True).steps == []
    assert promote(stack, mode="abort").details == ["no promotion is under way"]


def test_nothing_acknowledged_is_lost_and_nobody_writes_to_what_was_left(stack: Place) -> None:
    scene = look(stack.run())
    old = primary(scene)
    heart = Heart(stack.settings, look_again=60, clock=SYSTEM_CLOCK)
    heart.beat()
    with writing(by_proxy(stack), login(scene, "haven_app_b")) as (proxied, direct):
        until(lambda: min(len(proxied.acknowledged), len(direct.acknowledged)) > 200)
        report = _asked(stack)
        before = len(proxied.acknowledged)
        until(lambda: len(proxied.acknowledged) > before + 50)
    now = look(stack.run())
    with contextlib.closing(heart):
        until(lambda: _beats(heart))
        assert REPLICA in heart.where
    assert primary(now).name == report.promoted == REPLICA
    kept = keys_of(login(now, "haven_reader"))
    assert proxied.acknowledged | direct.acknowledged <= kept
    assert report.not_done == []
    assert report.switch_seconds is not None
    assert stack.provision(dry_run=True).steps == []
    _is_closed(stack, old.name)
    beat = beat_once(stack.settings)
    assert (beat.epoch, beat.instance) == (2, primary(now).resource_id)
    assert last_beat(login(now, "haven_reader"), PREFIX) is not None


def _beats(heart: Heart) -> bool:
    """Beat as the loop does: what fails is given up, and looked for anew."""
    try:
        heart.beat()
    except HavenError:
        heart.close()
        return False
    return True


def _asked(stack: Place) -> PromoteReport:
    """Promote as under Prefect, where a person is asked; see that the evidence names them."""
    questions: list[Question] = []

    def answer(question: Question) -> Answer:
        questions.append(question)
        return Answer(question.name, "a test", "to see")

    token = ASK.set(answer)
    try:
        report = promote(stack)
    finally:
        ASK.reset(token)
    (question,) = questions
    assert (question.name, "it is closed" in question.plan) == (REPLICA, True)
    bucket = names.bucket(stack.stack, "evidence")
    body = stack.client("s3").get_object(Bucket=bucket, Key=report.evidence)["Body"].read()
    given = json.loads(body)["parameters"]
    assert (given["approved_by"], given["reason"]) == ("a test", "to see")
    return report


def _is_closed(stack: Place, name: str) -> None:
    run = stack.run()
    scene = look(run)
    (left,) = [item for item in run.sight.members if item.name == name]
    assert (left.role, left.fenced) == ("retired", True)
    assert look_at_fence(login(scene, "master", left)).stands
    for user in ("haven_app_a", "haven_app_b", "haven_migrator"):
        assert isinstance(try_login(login(scene, user, left)), InvalidRequest)
    rds = stack.client("rds")
    (item,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    (group,) = item["VpcSecurityGroups"]
    ec2 = stack.client("ec2")
    found = ec2.describe_security_groups(GroupIds=[group["VpcSecurityGroupId"]])
    assert found["SecurityGroups"][0]["GroupName"] == f"{PREFIX}-quarantine"


def test_there_to_the_other_region_and_back(stack: Place) -> None:
    beat_once(stack.settings)
    away = f"{PREFIX}-dr-e2"
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 50)
        report = promote(stack, candidate=away, confirm=away)
    assert report.not_done == []
    scene = look(stack.run())
    assert (primary(scene).name, primary(scene).region) == (away, "us-west-2")
    assert writer.acknowledged <= keys_of(login(scene, "haven_reader"))
    assert stack.provision(dry_run=True).steps == []
    _other_operations_go_on_there(stack)
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 50)
        back = promote(stack, mode="fail-back", confirm=f"{PREFIX}-dr-e3")
    scene = look(stack.run())
    assert (primary(scene).region, back.epoch) == ("us-east-1", 4)
    assert writer.acknowledged <= keys_of(login(scene, "haven_reader"))
    assert stack.provision(dry_run=True).steps == []


def _other_operations_go_on_there(stack: Place) -> None:
    migrate(stack.run(), MigrateParameters())
    beat_once(stack.settings)
    check_heartbeat(stack.run(), CheckHeartbeatParameters())
    assert secret_check(stack.run()).sound
    rotate_credentials(stack.run(), RotateParameters(mode=Rotation.NOW, only=["haven_reader"]))
    verify_backup(stack.run(), VerifyParameters(kind=Kind.SNAPSHOT))
    report = status(stack.run())
    assert (report.epoch, report.promotion) == (3, "")
    assert {item.role for item in report.instances} >= {"primary", "retired", "dr-replica"}


def test_a_verification_tells_that_somebody_has_promoted_a_replica_meanwhile(stack: Place) -> None:
    replica = f"{PREFIX}-replica-1-e4"
    rds = stack.client("rds")

    def hear(message: str) -> None:
        if message.startswith("proving"):
            rds.promote_read_replica(DBInstanceIdentifier=replica)
            until(lambda: not _source(rds, replica))

    run = open_run(stack.settings, hear)
    report = verify_backup(run, VerifyParameters(kind=Kind.SNAPSHOT))
    assert any(f"{replica} takes writes by now" in text for text in report.warnings)
    # Nobody but Haven is to have made a primary: the fence would close it.
    assert f"{replica} would be closed" in promote(stack, mode="fence", dry_run=True).details


def _source(rds: Any, name: str) -> str:
    (item,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return str(item.get("ReadReplicaSourceDBInstanceIdentifier", ""))
