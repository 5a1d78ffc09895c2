"""The check of the heartbeat: ages, lags, and what ends it with an error."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flows.check_heartbeat import (
    CheckHeartbeatParameters,
    CheckHeartbeatReport,
    HeartbeatEndpoint,
    check_heartbeat,
)
from flows.heartbeat import beat_once
from flows.logins import Sort
from flows.migrate import MigrateParameters, migrate
from flows.status import status
from haven.cli import show
from haven.errors import Failed, Unavailable
from haven.stack import names
from tests.local.provision.beating import as_migrator, beating, resource_id, until
from tests.local.provision.conftest import Place
from tests.local.provision.test_moment import disturb, standing_replica

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def stack(place: Callable[..., Place]) -> Place:
    """A stack with a replica in each region, and tables in it."""
    made = place("checked")
    made.provision()
    with pytest.raises(Failed, match="has no heartbeat of the stack"):
        check(made)
    migrate(made.run(), MigrateParameters())
    return made


@pytest.fixture
def fresh(stack: Place) -> Place:
    """The stack with a beat of just now."""
    beat_once(stack.settings)
    return stack


def check(place: Place, *, dry_run: bool = False) -> CheckHeartbeatReport:
    run = place.run()
    report = check_heartbeat(run, CheckHeartbeatParameters(dry_run=dry_run))
    assert run.journal.writes == 0
    return report


def seen(place: Place, name: str) -> HeartbeatEndpoint:
    report = check(place, dry_run=True)
    return next(item for item in report.endpoints if item.name == name)


def test_each_server_has_the_beat_after_a_while(fresh: Place) -> None:
    def everywhere() -> CheckHeartbeatReport | None:
        report = check(fresh)
        return report if {item.lag_seconds for item in report.endpoints[1:]} == {0.0} else None

    report = until(everywhere)
    stack, ours = fresh.stack, resource_id(fresh)
    assert [(item.name, item.sort) for item in report.endpoints] == [
        (fresh.primary, Sort.WRITER),
        (names.recovery_replica(stack), Sort.REPLICA),
        (names.replica(stack, 1), Sort.REPLICA),
    ]
    assert {(item.written_to, item.epoch) for item in report.endpoints} == {(ours, 1)}
    assert len({item.instance for item in report.endpoints}) == 3
    assert report.endpoints[0].instance == ours
    assert (report.warnings, report.steps, report.evidence) == ([], [], "")


def test_a_replica_that_replays_nothing_lags_ever_more(fresh: Place) -> None:
    with standing_replica(fresh) as replica, beating(fresh.settings) as it:
        it.more()
        first = until(lambda: lag(fresh, replica))
        until(lambda: lag(fresh, replica) > 2 * first)
        it.more()
        until(lambda: lag(fresh, names.recovery_replica(fresh.stack)) < lag(fresh, replica))
    until(lambda: lag(fresh, replica) == 0.0)


def lag(place: Place, name: str) -> float:
    found = seen(place, name).lag_seconds
    assert found is not None
    return found


def test_an_old_beat_fails_it(fresh: Place, capsys: pytest.CaptureFixture[str]) -> None:
    as_migrator(fresh, "UPDATE haven_ops.heartbeat SET beat_at = beat_at - interval '100 s'")
    with pytest.raises(Failed, match=r"last beat is 1[0-9]+ s old, and 60 s are allowed"):
        check(fresh)
    report = check(fresh, dry_run=True)
    assert (report.endpoints[0].age_seconds or 0.0) >= 100
    assert report.warnings[0].startswith(f"{fresh.primary}: its last beat is")
    show.status(status(fresh.run()), as_json=False)
    assert f"heartbeat {fresh.primary}: beat" in capsys.readouterr().out


def test_a_beat_of_another_instance_is_told(fresh: Place) -> None:
    as_migrator(fresh, "UPDATE haven_ops.heartbeat SET instance = 'db-GONE'")
    with pytest.raises(Unavailable, match=f"is of db-GONE, and the writer is {resource_id(fresh)}"):
        check(fresh)


def test_a_replica_that_is_away_does_not_fail_it(fresh: Place) -> None:
    replica = names.replica(fresh.stack, 1)
    disturb(fresh, "freeze", replica)
    try:
        report = check(fresh)
    finally:
        disturb(fresh, "thaw", replica)
    assert [item.name for item in report.endpoints if item.unreachable] == [replica]
    assert [text.partition(":")[0] for text in report.warnings] == [replica]


def test_the_status_tells_where_there_is_none(place: Callable[..., Place]) -> None:
    seen = status(place("nothing").run())
    assert seen.heartbeat_age_seconds is None
    assert seen.heartbeat.startswith("not known: ")
