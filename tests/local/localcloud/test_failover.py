"""Conformance: Multi-AZ is a standby that takes over, and what dies is brought back."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from localcloud import processes
from tests.local.localcloud import kills
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


def _disturb(cloud: Any, action: str, name: str, **more: float) -> None:
    cloud.control("POST", "disturbances", {"action": action, "instance": name, **more})


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


def test_a_replica_can_be_made_to_lag(cloud: Any, pair: Any) -> None:
    replica = cloud.describe("pair-r")["Endpoint"]["Address"]
    count = "SELECT count(*) FROM kept WHERE n = -8"
    _disturb(cloud, "delay-replay", "pair-r", seconds=600)
    with cloud.connect(pair["Endpoint"]["Address"]) as session:
        session.execute("INSERT INTO kept VALUES (-8)")
        (written,) = session.execute("SELECT pg_current_wal_lsn()").fetchone()
    received = f"SELECT pg_last_wal_receive_lsn() >= '{written}'"
    _until(lambda: _ask(cloud, replica, received) == (True,))
    assert _ask(cloud, replica, count) == (0,)
    _disturb(cloud, "delay-replay", "pair-r", seconds=0)
    _until(lambda: _ask(cloud, replica, count) == (1,))


def test_a_replica_that_was_ahead_of_the_standby_comes_back_without_what_was_lost(
    cloud: Any, pair: Any
) -> None:
    host = pair["Endpoint"]["Address"]
    replica = cloud.describe("pair-r")["Endpoint"]["Address"]
    _until(lambda: _mirrored(cloud, "pair"))
    with cloud.connect(host) as session:
        session.execute("CREATE TABLE big (n int, text text)")
    resource = cloud.describe("pair")["DbiResourceId"]
    records = cloud.running.data.glob(f"clusters/{resource}*/server.json")
    served = [json.loads(path.read_text()) for path in records]
    (standby,) = [
        found["pid"] for found in served if (Path(found["data"]) / "standby.signal").exists()
    ]
    # More than fits into the socket of a standby that does not read; nobody waits for it.
    processes.signal_family(standby, signal.SIGSTOP)
    with cloud.connect(host) as session:
        session.execute("SET synchronous_commit = off")
        session.execute(
            "INSERT INTO big SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n"
        )
    cloud.await_row(replica, "SELECT count(*) FROM big", (20000,))
    _disturb(cloud, "kill", "pair")
    processes.signal_family(standby, signal.SIGCONT)
    _until(lambda: _ask(cloud, host, "SELECT count(*) FROM big") == (0,))
    with cloud.connect(host) as session:
        session.execute("INSERT INTO big VALUES (1, 'x')")
    cloud.await_row(replica, "SELECT count(*) FROM big", (1,))


def test_a_replica_fails_over_too_and_keeps_its_source(cloud: Any, pair: Any) -> None:
    rds, host = cloud.client("rds"), pair["Endpoint"]["Address"]
    rds.modify_db_instance(DBInstanceIdentifier="pair-r", MultiAZ=True, ApplyImmediately=True)
    before = cloud.await_status("pair-r")
    rds.reboot_db_instance(DBInstanceIdentifier="pair-r", ForceFailover=True)
    after = cloud.await_status("pair-r")
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
    assert after["ReadReplicaSourceDBInstanceIdentifier"] == "pair"
    with cloud.connect(host) as session:
        session.execute("INSERT INTO kept VALUES (-20)")
    replica = after["Endpoint"]["Address"]
    count = "SELECT count(*), pg_is_in_recovery() FROM kept WHERE n = -20"
    cloud.await_row(replica, count, (1, True))
    with cloud.connect(host) as session:
        slots = session.execute("SELECT slot_name FROM pg_replication_slots").fetchall()
        assert slots == [("rds_" + after["DbiResourceId"].lower().replace("-", "_"),)]


def test_a_busy_replica_is_promoted_once_it_is_free(cloud: Any, pair: Any) -> None:
    # UG USER_DeleteInstance: deleting the source promotes the replicas beside it.
    rds = cloud.client("rds")
    cloud.control("POST", "latency", {"reboot": 1.0})
    try:
        rds.reboot_db_instance(DBInstanceIdentifier="pair-r")
        rds.delete_db_instance(DBInstanceIdentifier="pair", SkipFinalSnapshot=True)
        cloud.await_status("pair", "gone")
    finally:
        cloud.control("POST", "latency", {"reboot": 0})
    _until(lambda: "ReadReplicaSourceDBInstanceIdentifier" not in cloud.await_status("pair-r"))
    with cloud.connect(cloud.describe("pair-r")["Endpoint"]["Address"]) as session:
        session.execute("INSERT INTO kept VALUES (0)")
    rds.stop_db_instance(DBInstanceIdentifier="pair-r")
    cloud.await_status("pair-r", "stopped")
    resource = cloud.describe("pair-r")["DbiResourceId"]
    left = kills.servers_of(cloud.running.data)
    told = [" ".join(processes.arguments(pid)) for pid in left]
    assert not [line for line in told if resource in line or pair["DbiResourceId"] in line]
    rds.start_db_instance(DBInstanceIdentifier="pair-r")
    cloud.await_status("pair-r")
    _until(lambda: _mirrored(cloud, "pair-r"))
