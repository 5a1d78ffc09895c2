"""The heart beats on a real stack, through everything that may happen to it."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.heartbeat import Pace
from flows.migrate import MigrateParameters, migrate
from flows.rotate_credentials import Mode, RotateParameters, rotate_credentials
from haven.stack import names
from tasks.heartbeat import is_still_written_to
from tests.local.provision.beating import (
    BEATING,
    NO_BEAT,
    as_master,
    beating,
    end_its_session,
    resource_id,
    until,
)
from tests.local.provision.conftest import Place
from tests.local.provision.test_moment import disturb

pytestmark = pytest.mark.local

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def heart(place: Callable[..., Place]) -> Place:
    """A stack with a replica, whose tables came while the heart was waiting for them."""
    made = place("heart")
    with beating(made.settings) as it, beating(made.settings, quiet=True) as quiet:
        it.says("has no primary instance")
        made.provision()
        it.says("has no table for it")
        assert quiet.said == []
        migrate(made.run(), MigrateParameters())
        it.more()
        quiet.more()
    assert len(quiet.said) == 1
    assert_told_once(it.said)
    return made


def assert_told_once(said: list[str]) -> None:
    """Each line is another state than the one before; the heart beats in the end."""
    assert all(line.startswith((BEATING, NO_BEAT)) for line in said)
    assert all(one != other for one, other in itertools.pairwise(said))
    assert said[-1].startswith(BEATING)


def test_it_beats_while_nobody_else_writes(heart: Place) -> None:
    with beating(heart.settings) as it:
        it.more()
    assert it.said == [f"Beating on {heart.primary} ({resource_id(heart)})."]


def test_it_survives_a_killed_primary(heart: Place) -> None:
    with beating(heart.settings) as it:
        it.more()
        disturb(heart, "kill", heart.primary)
        it.says(NO_BEAT)
        until(lambda: it.said[-1].startswith(BEATING), it.said)
        it.more()
    assert_told_once(it.said)


def test_it_gives_up_a_primary_that_stands_still(heart: Place) -> None:
    with beating(heart.settings) as it:
        it.more()
        disturb(heart, "freeze", heart.primary)
        try:
            it.says("no answer within 5 s")
        finally:
            disturb(heart, "thaw", heart.primary)
        until(lambda: it.said[-1].startswith(BEATING), it.said)
        it.more()
    assert_told_once(it.said)


def test_it_survives_a_failover(heart: Place) -> None:
    with beating(heart.settings) as it:
        it.more()
        until(lambda: describe(heart)["DBInstanceStatus"] == "available")
        heart.client("rds").reboot_db_instance(
            DBInstanceIdentifier=heart.primary, ForceFailover=True
        )
        it.says(NO_BEAT)
        until(lambda: it.said[-1].startswith(BEATING), it.said)
        it.more()
    assert_told_once(it.said)


def describe(place: Place) -> dict[str, object]:
    found = place.client("rds").describe_db_instances(DBInstanceIdentifier=place.primary)
    return dict(found["DBInstances"][0])


def test_it_follows_a_rotated_password(heart: Place) -> None:
    with beating(heart.settings) as it:
        it.more()
        rotate_credentials(
            heart.run(), RotateParameters(mode=Mode.EMERGENCY, only=["haven_migrator"])
        )
        end_its_session(heart)
        it.says(NO_BEAT)
        it.more()
    assert_told_once(it.said)


def test_it_writes_nothing_where_nothing_may_be_written(heart: Place) -> None:
    with beating(heart.settings) as it:
        it.more()
        as_master(heart, "ALTER ROLE haven_migrator SET default_transaction_read_only = on")
        try:
            end_its_session(heart)
            it.says("read-only")
            before = beats(heart)
        finally:
            as_master(heart, "ALTER ROLE haven_migrator RESET default_transaction_read_only")
        it.more()
        assert beats(heart) > before
    assert_told_once(it.said)


def beats(place: Place) -> int:
    as_master(place, "GRANT haven_reader TO CURRENT_USER")
    try:
        ((found,),) = as_master(place, "SELECT beats FROM haven_ops.heartbeat")
    finally:
        as_master(place, "REVOKE haven_reader FROM CURRENT_USER")
    assert isinstance(found, int)
    return found


def test_it_asks_rds_whether_it_is_still_in_the_right_place(heart: Place) -> None:
    site, ours = heart.run().site, resource_id(heart)
    assert is_still_written_to(site, heart.primary, ours)
    assert not is_still_written_to(site, heart.primary, "db-ANOTHER")
    assert not is_still_written_to(site, "nothing-of-that-name", ours)
    assert not is_still_written_to(site, names.replica(heart.stack, 1), ours)
    with beating(heart.settings, Pace(0.05, look_again=0.0)) as it:
        it.more(10)
    assert len(it.said) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_one_line(heart: Place, number: signal.Signals) -> None:
    settings = heart.settings
    command = [sys.executable, "-m", "haven.cli", "heartbeat", "--interval", "0.1"]
    child = subprocess.Popen(  # noqa: S603  # ourselves
        [*command, "--stack", str(heart.path)],
        cwd=PROJECT,
        env={
            "HAVEN_ENDPOINT_URL": str(settings.endpoint_url),
            "HAVEN_CA_BUNDLE": str(settings.ca_bundle),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith(BEATING)
    child.send_signal(number)
    said, wrong = child.communicate(timeout=60)
    assert (child.returncode, wrong) == (0, "")
    assert said.startswith(f"The heartbeat of {heart.stack.prefix} has ended, after ")
    assert said.count("\n") == 1
