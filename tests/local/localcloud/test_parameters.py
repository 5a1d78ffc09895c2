"""Conformance: parameter groups reach the server, and static parameters wait for a reboot."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local


def _set(cloud: Any, group: str, method: str = "immediate", **values: str) -> None:
    cloud.client("rds").modify_db_parameter_group(
        DBParameterGroupName=group,
        Parameters=[
            {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
            for name, value in values.items()
        ],
    )


def _shown(cloud: Any, host: str, name: str) -> str:
    with cloud.connect(host) as session:
        (value,) = session.execute(f"SHOW {name}").fetchone()
        return str(value)


def _await_shown(cloud: Any, host: str, name: str, wanted: str) -> None:
    pause = threading.Event()
    end = time.monotonic() + 20
    while _shown(cloud, host, name) != wanted:
        assert time.monotonic() < end, f"{name} never became {wanted}"
        pause.wait(0.05)


@pytest.fixture
def group(cloud: Any, name: str) -> str:
    cloud.client("rds").create_db_parameter_group(
        DBParameterGroupName=f"{name}-pg", DBParameterGroupFamily="postgres15", Description="x"
    )
    return f"{name}-pg"


def test_dynamic_at_once_static_at_reboot(cloud: Any, name: str, group: str) -> None:
    # UG USER_WorkingWithParamGroups: apply types, ParameterApplyStatus.
    rds = cloud.client("rds")
    _set(cloud, group, "pending-reboot", max_connections="150")
    host = cloud.create(name, DBParameterGroupName=group)["Endpoint"]["Address"]
    assert _shown(cloud, host, "max_connections") == "150"
    _set(cloud, group, log_min_duration_statement="750")
    _await_shown(cloud, host, "log_min_duration_statement", "750ms")
    assert cloud.describe(name)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    _set(cloud, group, "pending-reboot", max_connections="120")
    assert cloud.describe(name)["DBParameterGroups"][0]["ParameterApplyStatus"] == (
        "pending-reboot"
    )
    assert _shown(cloud, host, "max_connections") == "150"
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    cloud.await_status(name)
    assert _shown(cloud, host, "max_connections") == "120"
    assert cloud.describe(name)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    assert refusal(rds.delete_db_parameter_group, DBParameterGroupName=group)[0] == (
        "InvalidDBParameterGroupState"
    )


def test_changes_in_quick_succession_all_arrive(cloud: Any, name: str, group: str) -> None:
    # API ModifyDBParameterGroup: each call adds to what the others set.
    host = cloud.create(name, DBParameterGroupName=group)["Endpoint"]["Address"]
    _set(cloud, group, work_mem="8192")
    _set(cloud, group, statement_timeout="61000")
    _set(cloud, group, lock_timeout="7000")
    _await_shown(cloud, host, "lock_timeout", "7s")
    _await_shown(cloud, host, "statement_timeout", "61s")
    assert _shown(cloud, host, "work_mem") == "8MB"


def test_a_replica_never_has_less_than_its_source(cloud: Any, name: str, group: str) -> None:
    # UG USER_PostgreSQL.Replication.ReadReplicas: max_connections and its like are raised.
    rds = cloud.client("rds")
    _set(cloud, group, "pending-reboot", max_connections="60")
    cloud.create(name, BackupRetentionPeriod=1)
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier=f"{name}-r",
        SourceDBInstanceIdentifier=name,
        DBParameterGroupName=group,
    )
    host = cloud.await_status(f"{name}-r")["Endpoint"]["Address"]
    source = cloud.describe(name)["Endpoint"]["Address"]
    assert _shown(cloud, host, "max_connections") == _shown(cloud, source, "max_connections")


def test_raising_the_source_does_not_stop_its_replica(cloud: Any, name: str, group: str) -> None:
    # PostgreSQL manual, "Administrator's Overview": replay pauses on a standby with less.
    rds = cloud.client("rds")
    _set(cloud, group, "pending-reboot", max_connections="50")
    source = cloud.create(name, BackupRetentionPeriod=1, DBParameterGroupName=group)
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier=f"{name}-r", SourceDBInstanceIdentifier=name
    )
    replica = cloud.await_status(f"{name}-r")["Endpoint"]["Address"]
    assert _shown(cloud, replica, "max_connections") == "50"
    _set(cloud, group, "pending-reboot", max_connections="90")
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    cloud.await_status(name)
    assert _shown(cloud, source["Endpoint"]["Address"], "max_connections") == "90"
    with cloud.connect(replica) as session:
        assert session.execute("SELECT pg_is_wal_replay_paused()").fetchone() == (False,)
        assert _shown(cloud, replica, "max_connections") == "90"


REFUSED = [
    ("an unknown name", {"ParameterName": "no_such", "ParameterValue": "1"}, "Value"),
    ("a value out of range", {"ParameterName": "max_connections", "ParameterValue": "1"}, "Value"),
    ("a word for a number", {"ParameterName": "work_mem", "ParameterValue": "big"}, "Value"),
    ("a choice that is none", {"ParameterName": "wal_compression", "ParameterValue": "x"}, "Value"),
    ("what RDS decides", {"ParameterName": "fsync", "ParameterValue": "0"}, "Value"),
    (
        "static at once",
        {"ParameterName": "max_connections", "ParameterValue": "99", "ApplyMethod": "immediate"},
        "Combination",
    ),
]


@pytest.mark.parametrize(("rule", "given", "code"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(cloud: Any, group: str, rule: str, given: dict[str, str], code: str) -> None:
    # API ModifyDBParameterGroup.
    found, message = refusal(
        cloud.client("rds").modify_db_parameter_group,
        DBParameterGroupName=group,
        Parameters=[{"ApplyMethod": "pending-reboot", **given}],
    )
    assert found == f"InvalidParameter{code}", f"{rule}: {message}"


def test_twenty_at_a_time(cloud: Any, group: str) -> None:
    # API ModifyDBParameterGroup: a maximum of 20 parameters.
    many = [
        {"ParameterName": "work_mem", "ParameterValue": "4096", "ApplyMethod": "immediate"}
    ] * 21
    code, _ = refusal(
        cloud.client("rds").modify_db_parameter_group,
        DBParameterGroupName=group,
        Parameters=many,
    )
    assert code == "InvalidParameterValue"


def test_the_list_tells_types_and_sources(cloud: Any, group: str) -> None:
    # API DescribeDBParameters: ApplyType, IsModifiable, Source.
    rds = cloud.client("rds")
    _set(cloud, group, "pending-reboot", max_connections="77")
    pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=group)
    rows = {row["ParameterName"]: row for page in pages for row in page["Parameters"]}
    assert len(rows) > 250
    assert rows["max_connections"]["ApplyType"] == "static"
    assert rows["max_connections"]["Source"] == "user"
    assert rows["log_min_duration_statement"]["ApplyType"] == "dynamic"
    assert rows["rds.force_ssl"]["ParameterValue"] == "1"
    assert not rows["listen_addresses"]["IsModifiable"]
    user = rds.describe_db_parameters(DBParameterGroupName=group, Source="user")["Parameters"]
    assert [row["ParameterName"] for row in user] == ["max_connections"]
    rds.reset_db_parameter_group(DBParameterGroupName=group, ResetAllParameters=True)
    assert not rds.describe_db_parameters(DBParameterGroupName=group, Source="user")["Parameters"]


def test_force_ssl_follows_its_parameter(cloud: Any, name: str, group: str) -> None:
    # UG PostgreSQL.Concepts.General.SSL: rds.force_ssl is dynamic.
    host = cloud.create(name, DBParameterGroupName=group)["Endpoint"]["Address"]
    _set(cloud, group, **{"rds.force_ssl": "0"})
    _await_shown(cloud, host, "rds.force_ssl", "0")
    cloud.connect(host, sslmode="disable").close()
