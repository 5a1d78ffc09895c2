"""Conformance: Multi-AZ is a standby that takes over, and what dies is brought back."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import psycopg
import pytest

from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

LIMIT = 30.0


def _until(wanted: Any) -> Any:
    """Poll a function until it returns something true, and return that."""
    pause = threading.Event()
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            if found := wanted():
                return found
        except psycopg.Error:
            pass
        pause.wait(0.05)
    raise AssertionError(f"{wanted} never came true")


def _ask(cloud: Any, host: str, query: str) -> Any:
    with cloud.connect(host) as session:
        return session.execute(query).fetchone()


def _events(cloud: Any, name: str) -> list[str]:
    found = cloud.client("rds").describe_events(SourceIdentifier=name, SourceType="db-instance")
    return [event["Message"] for event in found["Events"]]


def _disturb(cloud: Any, action: str, name: str) -> None:
    cloud.control("POST", "disturbances", {"action": action, "instance": name})


def _mirrored(cloud: Any, name: str) -> bool:
    arn = cloud.describe(name)["DBInstanceArn"]
    return arn in cloud.control("GET", "health")["standbys"]


@pytest.fixture(scope="module")
def pair(cloud: Any) -> Any:
    """A Multi-AZ primary with a replica."""
    cloud.create("pair", MultiAZ=True)
    cloud.client("rds").create_db_instance_read_replica(
        DBInstanceIdentifier="pair-r", SourceDBInstanceIdentifier="pair"
    )
    cloud.await_status("pair-r")
    found = cloud.describe("pair")
    with cloud.connect(found["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE kept (n int)")
    return found


def test_a_failover_on_request_keeps_rows_endpoint_and_replicas(cloud: Any, pair: Any) -> None:
    # UG USER_RebootInstance: same endpoint, the zones change places.
    rds, host = cloud.client("rds"), pair["Endpoint"]["Address"]
    shown = rds.describe_db_instances()["DBInstances"]
    before = cloud.describe("pair")
    with cloud.connect(host) as session:
        session.execute("INSERT INTO kept VALUES (1)")
    rds.reboot_db_instance(DBInstanceIdentifier="pair", ForceFailover=True)
    after = cloud.await_status("pair")
    assert "rebooting" in after["seen"]
    assert after["Endpoint"] == before["Endpoint"]
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
    assert after["SecondaryAvailabilityZone"] == before["AvailabilityZone"]
    assert _ask(cloud, host, "SELECT array_agg(n) FROM kept") == ([1],)
    told = _events(cloud, "pair")
    assert told.index("Multi-AZ instance failover started.") < told.index(
        "Multi-AZ instance failover completed."
    )
    with cloud.connect(host) as session:
        session.execute("INSERT INTO kept VALUES (2)")
    replica = cloud.describe("pair-r")["Endpoint"]["Address"]
    _until(lambda: _ask(cloud, replica, "SELECT count(*) FROM kept") == (2,))
    _until(lambda: _mirrored(cloud, "pair"))
    assert len(rds.describe_db_instances()["DBInstances"]) == len(shown)


def test_a_killed_primary_loses_no_acknowledged_commit(cloud: Any, pair: Any) -> None:
    # UG Concepts.MultiAZ: replication to the standby is synchronous.
    host = pair["Endpoint"]["Address"]
    _until(lambda: _mirrored(cloud, "pair"))
    zone = cloud.describe("pair")["AvailabilityZone"]
    acknowledged = [_ask(cloud, host, "SELECT coalesce(max(n), 0) FROM kept")[0]]

    def write() -> None:
        with contextlib.suppress(psycopg.Error), cloud.connect(host) as session:
            for number in range(acknowledged[0] + 1, 1_000_000):
                session.execute("INSERT INTO kept VALUES (%s)", (number,))
                acknowledged[0] = number

    started = acknowledged[0]
    writer = threading.Thread(target=write)
    writer.start()
    _until(lambda: acknowledged[0] > started + 200)
    _disturb(cloud, "kill", "pair")
    writer.join(LIMIT)
    assert not writer.is_alive()
    _until(lambda: cloud.describe("pair")["AvailabilityZone"] != zone)
    cloud.await_status("pair")
    (found,) = _ask(cloud, host, "SELECT max(n) FROM kept")
    assert found >= acknowledged[0]
    with cloud.connect(host) as session:
        session.execute("INSERT INTO kept VALUES (-1)")
    replica = cloud.describe("pair-r")["Endpoint"]["Address"]
    _until(lambda: _ask(cloud, replica, "SELECT min(n) FROM kept") == (-1,))
    assert cloud.describe("pair-r")["StatusInfos"][0]["Status"] == "replicating"


def test_a_standby_survives_a_reboot_and_comes_and_goes_with_the_setting(
    cloud: Any, pair: Any
) -> None:
    rds, host = cloud.client("rds"), pair["Endpoint"]["Address"]
    _until(lambda: _mirrored(cloud, "pair"))
    rds.reboot_db_instance(DBInstanceIdentifier="pair")
    cloud.await_status("pair")
    with cloud.connect(host) as session:
        session.execute("INSERT INTO kept VALUES (-2)")
    rds.modify_db_instance(DBInstanceIdentifier="pair", MultiAZ=False, ApplyImmediately=True)
    assert "SecondaryAvailabilityZone" not in cloud.await_status("pair")
    _until(lambda: not _mirrored(cloud, "pair"))
    code, _ = refusal(rds.reboot_db_instance, DBInstanceIdentifier="pair", ForceFailover=True)
    assert code == "InvalidParameterCombination"
    rds.modify_db_instance(DBInstanceIdentifier="pair", MultiAZ=True, ApplyImmediately=True)
    found = cloud.await_status("pair")
    assert found["SecondaryAvailabilityZone"] != found["AvailabilityZone"]
    _until(lambda: _mirrored(cloud, "pair"))


def test_a_killed_instance_without_standby_recovers_in_place(cloud: Any, name: str) -> None:
    host = cloud.create(name)["Endpoint"]["Address"]
    with cloud.connect(host) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS n")
    _disturb(cloud, "kill", name)
    _until(lambda: "Recovery of the DB instance is complete." in _events(cloud, name))
    assert _ask(cloud, host, "SELECT n FROM kept") == (1,)
    assert cloud.describe(name)["DBInstanceStatus"] == "available"


def test_links_and_servers_can_be_disturbed(cloud: Any, pair: Any) -> None:
    host = pair["Endpoint"]["Address"]
    replica = cloud.describe("pair-r")["Endpoint"]["Address"]
    count = "SELECT count(*) FROM kept WHERE n = -9"
    for breaking, mending in (
        ("cut-link", "restore-link"),
        ("pause-replay", "resume-replay"),
        ("freeze", "thaw"),
    ):
        _disturb(cloud, breaking, "pair-r")
        with cloud.connect(host) as session:
            session.execute("DELETE FROM kept WHERE n = -9")
            session.execute("INSERT INTO kept VALUES (-9), (-9)")
        state = cloud.describe("pair-r")["StatusInfos"][0]["Status"]
        assert (state == "error") == (breaking == "cut-link")
        _disturb(cloud, mending, "pair-r")
        _until(lambda: _ask(cloud, replica, count) == (2,))
        with cloud.connect(host) as session:
            session.execute("DELETE FROM kept WHERE n = -9")
        _until(lambda: _ask(cloud, replica, count) == (0,))
