"""Wrong data: an earlier moment is restored, held against the primary, and takes its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flows.heartbeat import beat_once
from flows.promotion_scene import look
from haven.errors import Conflict, HavenError, InvalidRequest, Refused
from haven.pg import session
from haven.stack import names
from haven.stack.layout import RETIRED
from tasks.heartbeat import last_beat
from tasks.members import tag_member
from tasks.probes import try_login
from tests.local.promote.conftest import (
    by_proxy,
    control,
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

ENVIRONMENT = "rewind"
PREFIX = f"haven-tests-{ENVIRONMENT}"
RESTORED = f"{PREFIX}-primary-e2"


@pytest.fixture(scope="module")
def moment(stack: Place) -> datetime:
    """Write rows, note a moment, and do harm after it."""
    writer = login(look(stack.run()), "haven_app_a")
    with writing(writer) as (good,):
        until(lambda: len(good.acknowledged) > 30)
    with session(writer) as connection:
        noted = connection.execute("SELECT clock_timestamp()").fetchone()
        connection.execute("SELECT pg_sleep(0.01)")
        connection.execute("UPDATE haven_health.written SET n = 666 WHERE n = 0")
        connection.execute("INSERT INTO haven_health.written VALUES (gen_random_uuid(), 1)")
    control(stack, "clock", advance=301)
    assert noted is not None
    found: datetime = noted[0]
    return found


@pytest.mark.usefixtures("moment")
@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({}, InvalidRequest),
        ({"moment": datetime(2020, 1, 1, tzinfo=UTC)}, Refused),
    ],
    ids=["no moment", "too early"],
)
def test_a_moment_that_cannot_be_is_refused(
    stack: Place, parameters: dict[str, datetime], kind: type[HavenError]
) -> None:
    assert isinstance(refusal(stack, mode="rewind", **parameters), kind)
    assert look(stack.run()).mark is None


def test_it_is_restored_proved_and_counted_and_waits(stack: Place, moment: datetime) -> None:
    before = keys_of(login(look(stack.run()), "haven_reader"))
    report = promote(stack, mode="rewind", moment=moment)
    assert report.lacking == {"haven_health.written": {"lost": 1, "change lost": len(before) - 1}}
    assert f"--param confirm={RESTORED}" in report.not_done[0]
    assert primary(look(stack.run())).name == f"{PREFIX}-primary"
    assert isinstance(refusal(stack, confirm=RESTORED), Conflict)
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 5)


@pytest.mark.usefixtures("moment")
def test_once_its_name_is_typed_it_takes_the_place(stack: Place) -> None:
    old = login(look(stack.run()), "haven_app_a")
    with writing(by_proxy(stack)) as (writer,):
        report = promote(stack, mode="rewind", confirm=RESTORED)
        before = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > before + 5)
    assert (report.promoted, report.epoch, report.not_done) == (RESTORED, 2, [])
    scene = look(stack.run())
    assert primary(scene).name == names.primary(stack.run().loaded.stack) == RESTORED
    assert isinstance(try_login(old), InvalidRequest)
    with session(login(scene, "haven_app_a")) as connection:
        rows = connection.execute("SELECT n, count(*) FROM haven_health.written GROUP BY n")
        assert dict(rows.fetchall()).keys() == {0}
    assert stack.provision(dry_run=True).steps == []
    beat_once(stack.settings)


def test_one_that_is_not_wanted_is_left_aside(stack: Place) -> None:
    later = beat_once(stack.settings).beat_at
    beat_once(stack.settings)
    control(stack, "clock", advance=301)
    report = promote(stack, mode="rewind", moment=later)
    assert report.not_done
    error = refusal(stack, mode="rewind", moment=later - timedelta(seconds=1))
    assert isinstance(error, Conflict)
    assert "A rewind to" in str(error)
    # A run that undoes it is killed before it takes the mark off.
    run = stack.run()
    marked = next(item for item in run.sight.members if item.mark)
    tag_member(run.site, marked, {names.TAG_ROLE: RETIRED})
    error = refusal(stack, mode="rewind", confirm=marked.name)
    assert isinstance(error, Conflict)
    assert "An abort is under way" in str(error)
    promote(stack, mode="abort")
    scene = look(stack.run())
    assert (scene.mark, primary(scene).name) == (None, RESTORED)
    assert stack.provision(dry_run=True).steps == []


def test_another_one_after_it_is_restored_anew_and_waits_too(stack: Place) -> None:
    moment = beat_once(stack.settings).beat_at
    control(stack, "clock", advance=301)
    report = promote(stack, mode="rewind", moment=moment)
    assert f"--param confirm={PREFIX}-primary-e3-2" in report.not_done[0]
    assert primary(look(stack.run())).name == RESTORED
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 5)


def test_when_the_primary_is_lost_meanwhile_a_replica_takes_its_place(stack: Place) -> None:
    scene = look(stack.run())
    old, target = primary(scene), f"{PREFIX}-replica-1-e2"
    assert scene.mark is not None
    until(lambda: _beats_at(stack, target))
    with frozen(stack, old):
        given = {"candidate": target, "primary_is_gone": old.name, "accept_loss_seconds": 60}
        assert isinstance(refusal(stack, confirm=target), Conflict)
        report = promote(stack, mode="emergency", confirm=target, **given)
        with writing(by_proxy(stack)) as (writer,):
            until(lambda: len(writer.acknowledged) > 5)
    assert (report.promoted, report.epoch) == (target, 3)
    left = promote(stack, mode="fence")
    assert left.lacking == {}
    assert stack.provision(dry_run=True).steps == []


def _beats_at(stack: Place, name: str) -> bool:
    beat_once(stack.settings)
    scene = look(stack.run())
    (replica,) = [item for item in scene.replicas if item.name == name]
    return last_beat(scene.login(replica, "haven_reader", writable=False), PREFIX) is not None
