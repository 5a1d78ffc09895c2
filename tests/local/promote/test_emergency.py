"""An emergency: what is lost is an interval at first, and known by key once the old primary is back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from flows.destroy import DestroyParameters, destroy
from flows.heartbeat import beat_once
from flows.promotion_models import PromoteReport
from flows.promotion_scene import Scene, look
from flows.promotion_switch import close_database
from haven.errors import InvalidRequest, Refused, Unavailable
from haven.pg import session
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark
from haven.stack import names
from haven.stack.layout import Member
from tasks.heartbeat import last_beat
from tasks.members import tag_member
from tasks.probes import try_login
from tests.local.promote.conftest import (
    by_proxy,
    control,
    disturb,
    frozen,
    keys_of,
    login,
    primary,
    promote,
    refusal,
    until,
    writing,
)
from tests.local.provision.conftest import Place

ENVIRONMENT = "emergency"
PREFIX = f"haven-tests-{ENVIRONMENT}"
REPLICA = f"{PREFIX}-replica-1"
HOME = "us-east-1"
FURTHER = """
INSERT INTO haven_health.written SELECT gen_random_uuid(), n FROM generate_series(1, 20) AS n
"""


def test_one_place_that_does_not_see_it_is_not_enough(stack: Place) -> None:
    old = primary(look(stack.run()))
    with frozen(stack, old):
        error = refusal(
            stack, mode="emergency", confirm=REPLICA, candidate=REPLICA, watch_seconds=0
        )
    assert isinstance(error, Refused)
    assert "it is still seen from the replica" in str(error)
    assert f"--param primary_is_gone={old.name}" in str(error)


@dataclass(slots=True)
class Written:
    """What was acknowledged: before the two parted, by the old primary since, and by the new one."""

    common: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)


def test_what_is_lost_is_counted_by_key_when_the_old_primary_is_back(stack: Place) -> None:
    scene, written = look(stack.run()), Written()
    old, writer = primary(scene), login(scene, "haven_app_a")
    _write_apart(stack, written)
    with frozen(stack, old):
        report = promote(
            stack, mode="emergency", candidate=REPLICA, confirm=REPLICA, primary_is_gone=old.name
        )
        assert report.loss is not None
        assert report.loss.text.startswith("unknown rows, unknown bytes of WAL, 0 to ")
        with writing(by_proxy(stack)) as (after,):
            until(lambda: len(after.acknowledged) > 20)
        written.new |= after.acknowledged
        error = refusal(stack, mode="fence", watch_seconds=0)
        assert isinstance(error, Unavailable)
        assert old.name in str(error)
    # It is back, and nobody has closed it yet: who has its address still writes to it.
    with writing(writer) as (late,):
        until(lambda: len(late.acknowledged) > 10)
    written.lost |= late.acknowledged
    counted = promote(stack, mode="fence")
    assert isinstance(try_login(writer), InvalidRequest)
    _is_counted(stack, counted, written)
    assert "no old primary is open" in promote(stack, mode="fence").details
    assert stack.provision(dry_run=True).steps == []


def _write_apart(stack: Place, written: Written) -> None:
    """Write, cut the replica off, and write on: rows that are new, changed and deleted."""
    beat_once(stack.settings)
    scene = look(stack.run())
    with writing(by_proxy(stack)) as (common,):
        until(lambda: len(common.acknowledged) > 50)
    written.common |= common.acknowledged
    writer = login(scene, "haven_app_a")
    with session(writer) as connection:
        connection.execute(FURTHER)
        lsn = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    replica = next(item for item in scene.replicas if item.name == REPLICA)
    until(lambda: _replayed(scene, replica, lsn))
    disturb(stack, "cut-link", REPLICA)
    with writing(writer) as (lonely,):
        until(lambda: len(lonely.acknowledged) > 100)
    written.lost |= lonely.acknowledged
    with session(writer) as connection:
        connection.execute("UPDATE haven_health.written SET n = -1 WHERE n IN (1, 2, 3)")
        connection.execute("DELETE FROM haven_health.written WHERE n IN (4, 5)")
    # A migration that has not come along either: the two have not even the same columns.
    with session(login(scene, "haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute("ALTER TABLE haven_health.written ADD COLUMN later integer")


def _is_counted(stack: Place, counted: PromoteReport, written: Written) -> None:
    assert counted.lacking == {
        "haven_health.written": {"lost": len(written.lost), "change lost": 3, "deletion lost": 2}
    }
    assert _kept(stack, counted.lacking_keys) == written.lost
    kept = keys_of(login(look(stack.run()), "haven_reader"))
    assert written.common | written.new <= kept
    assert not written.lost & kept


def _replayed(scene: Scene, replica: Member, lsn: tuple[Any, ...] | None) -> bool:
    with session(scene.login(replica, "haven_reader", writable=False)) as connection:
        row = connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn).fetchone()
    return bool(row and row[0])


def _kept(stack: Place, address: str) -> set[str]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    body = json.loads(stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return {values[0] for values in body["haven_health.written"]["lost"]}


def test_a_primary_that_is_lost_amid_a_switch_over_makes_it_an_emergency(stack: Place) -> None:
    beat_once(stack.settings)
    scene = look(stack.run())
    old, target = primary(scene), f"{PREFIX}-replica-1-e2"
    (member,) = [item for item in scene.replicas if item.name == target]
    mark = Mark(Mode.PLANNED, 3, datetime.now(UTC))
    tag_member(stack.run().site, member, {names.TAG_PROMOTION: mark.text})
    close_database(scene, old)
    with frozen(stack, old):
        given = {"mode": "emergency", "confirm": target, "primary_is_gone": old.name}
        for accepted in (None, 0):
            error = refusal(stack, **given, accept_loss_seconds=accepted)
            assert "accept_loss_seconds" in str(error)
        report = promote(stack, **given, accept_loss_seconds=60)
        with writing(by_proxy(stack)) as (writer,):
            until(lambda: len(writer.acknowledged) > 5)
    assert (report.promoted, report.epoch) == (target, 3)
    counted = promote(stack, mode="fence")
    assert counted.lacking == {}
    assert stack.provision(dry_run=True).steps == []


@contextmanager
def lost_region(stack: Place) -> Iterator[None]:
    """Let no service of the home region answer for a block."""
    control(stack, "faults", kind="reset", region=HOME, times=1_000_000)
    try:
        yield
    finally:
        control(stack, "faults", method="DELETE")


def test_a_lost_region_is_left_without_asking_it_for_anything(stack: Place) -> None:
    beat_once(stack.settings)
    scene = look(stack.run())
    old, away = primary(scene), f"{PREFIX}-dr-e3"
    with frozen(stack, old), lost_region(stack):
        run_before = len(control(stack, "calls", method="GET")["calls"])
        report = promote(
            stack, mode="emergency", candidate=away, confirm=away, primary_is_gone=old.name
        )
        asked = control(stack, "calls", method="GET")["calls"][run_before:]
    assert report.promoted == away
    assert any("us-east-1" in text for text in report.not_done)
    answered = {call["service"] for call in asked if call["region"] == HOME}
    assert answered == set()
    now = look(stack.run())
    assert (primary(now).name, primary(now).region) == (away, "us-west-2")
    promote(stack, mode="fence")
    stack.provision()
    assert stack.provision(dry_run=True).steps == []


def test_a_run_that_is_killed_right_after_the_promotion_counts_no_less(
    stack: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = look(stack.run())
    old = primary(scene)
    target = next(item for item in scene.replicas if item.region == old.region)
    until(lambda: _beats_at(stack, target))
    with frozen(stack, old):
        given = {"mode": "emergency", "candidate": target.name, "confirm": target.name}
        with monkeypatch.context() as patched:
            patched.setattr("flows.promotion_switch.open_epoch", _answers_nothing)
            assert isinstance(refusal(stack, **given, primary_is_gone=old.name), Unavailable)
        # Nobody had closed it: who has the address of the new one writes there at once.
        with writing(login(scene, "haven_app_a", target)) as (early,):
            until(lambda: len(early.acknowledged) > 100)
        assert promote(stack, **given).promoted == target.name
    with writing(login(scene, "haven_app_a")) as (late,):
        until(lambda: len(late.acknowledged) > 20)
    counted = promote(stack, mode="fence")
    assert counted.lacking == {"haven_health.written": {"lost": len(late.acknowledged)}}
    assert _kept(stack, counted.lacking_keys) == late.acknowledged


def _answers_nothing(*_: object) -> None:
    raise Unavailable("It did not answer.")


def _beats_at(stack: Place, replica: Member) -> bool:
    beat_once(stack.settings)
    reader = look(stack.run()).login(replica, "haven_reader", writable=False)
    return last_beat(reader, PREFIX) is not None


@pytest.fixture(autouse=True)
def _nothing_is_left_armed(stack: Place) -> Iterator[None]:
    yield
    control(stack, "faults", method="DELETE")


def test_a_disposable_stack_goes_with_all_that_promotions_left(stack: Place) -> None:
    destroy(stack.run(), DestroyParameters(confirm=PREFIX))
    for region in (HOME, "us-west-2"):
        described = stack.client("rds", region).describe_db_instances()["DBInstances"]
        assert not [item for item in described if PREFIX in item["DBInstanceIdentifier"]]
        alarms = stack.client("cloudwatch", region).describe_alarms(AlarmNamePrefix=PREFIX)
        assert alarms["MetricAlarms"] == []
        groups = stack.client("logs", region).describe_log_groups(
            logGroupNamePrefix=f"/aws/rds/instance/{PREFIX}"
        )
        assert groups["logGroups"] == []
