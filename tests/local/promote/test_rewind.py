"""Wrong data: an earlier moment is restored, held against the primary, and takes its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.heartbeat import beat_once
from flows.promotion_scene import look
from haven.errors import Conflict, HavenError, InvalidRequest, Refused
from haven.pg import session
from haven.stack import names
from tasks.probes import try_login
from tests.local.promote.conftest import (
    by_proxy,
    control,
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
    promote(stack, mode="abort")
    scene = look(stack.run())
    assert (scene.mark, primary(scene).name) == (None, RESTORED)
    assert stack.provision(dry_run=True).steps == []
