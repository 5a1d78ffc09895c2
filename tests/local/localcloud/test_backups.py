"""Conformance: automated backups are made at birth, daily and after promotion, and kept for days."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud import process
from tests.local.localcloud.conftest import Cloud, awaited, new_place
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

SIX_HOURS = 21600
NAME = re.compile(r"rds:[a-z-]+-\d{4}-\d\d-\d\d-\d\d-\d\d")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A local cloud whose clock may be moved by days."""
    data = new_place()
    try:
        with process.start(data) as running:
            yield Cloud(running)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def days(cloud: Cloud, number: int) -> None:
    for _ in range(4 * number):
        cloud.control("POST", "clock", {"advance": SIX_HOURS})
        awaited(lambda: cloud.control("GET", "health"), lambda health: not health["busy"])


def automated(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.client("rds").describe_db_snapshots(
        DBInstanceIdentifier=name, SnapshotType="automated"
    )["DBSnapshots"]
    return found


def kept(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.client("rds").describe_db_instance_automated_backups(
        DBInstanceIdentifier=name
    )["DBInstanceAutomatedBackups"]
    return found


def rows(cloud: Cloud, made: dict[str, Any]) -> list[int]:
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        return [row[0] for row in session.execute("SELECT id FROM rows ORDER BY id")]


def test_the_first_backup_is_a_snapshot_that_can_be_restored(cloud: Cloud) -> None:
    # UG USER_WorkingWithAutomatedBackups; API DescribeDBSnapshots, DeleteDBSnapshot.
    rds = cloud.client("rds")
    tags = [{"Key": "role", "Value": "primary"}]
    made = cloud.create("first", BackupRetentionPeriod=2, CopyTagsToSnapshot=True, Tags=tags)
    assert "backing-up" in made["seen"]
    (snapshot,) = automated(cloud, "first")
    name = snapshot["DBSnapshotIdentifier"]
    assert NAME.fullmatch(name)
    assert (snapshot["SnapshotType"], snapshot["Status"]) == ("automated", "available")
    assert snapshot["TagList"] == tags
    assert snapshot["DBSnapshotArn"].endswith(f":snapshot:{name}")
    assert refusal(rds.delete_db_snapshot, DBSnapshotIdentifier=name) == (
        "InvalidDBSnapshotState",
        "Only manual snapshots may be deleted.",
    )
    assert refusal(rds.describe_db_snapshots, DBSnapshotIdentifier=name)[0] == "DBSnapshotNotFound"
    alone = rds.describe_db_snapshots(DBSnapshotIdentifier=name, SnapshotType="automated")
    assert len(alone["DBSnapshots"]) == 1
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="first-back", DBSnapshotIdentifier=name, BackupRetentionPeriod=0
    )
    back = cloud.await_status("first-back")
    assert (back["BackupRetentionPeriod"], back["DeletionProtection"]) == (0, False)
    with cloud.connect(back["Endpoint"]["Address"]) as session:
        assert session.execute("SELECT current_user").fetchone() == (made["MasterUsername"],)
    (row,) = kept(cloud, "first")
    assert row["Status"] == "active"
    assert row["RestoreWindow"]["EarliestTime"] <= row["RestoreWindow"]["LatestTime"]
    assert row["RestoreWindow"]["LatestTime"] == cloud.describe("first")["LatestRestorableTime"]


def test_they_are_made_daily_and_kept_as_long_as_asked(cloud: Cloud) -> None:
    # UG USER_WorkingWithAutomatedBackups.BackupRetention.
    cloud.control("POST", "reset")
    made = cloud.create("daily", BackupRetentionPeriod=2)
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows AS SELECT 1 AS id")
    (birth,) = automated(cloud, "daily")
    (before,) = kept(cloud, "daily")
    place = cloud.running.data / "backups" / made["DbiResourceId"]
    wal = {path.name for path in (place / "wal").iterdir()}
    for _ in range(3):
        days(cloud, 1)
        cloud.await_status("daily")
    found = automated(cloud, "daily")
    # One of each of the last two days.
    assert len({item["DBSnapshotIdentifier"] for item in found}) == len(found) == 2
    assert birth["DBSnapshotIdentifier"] not in {item["DBSnapshotIdentifier"] for item in found}
    (after,) = kept(cloud, "daily")
    assert after["RestoreWindow"]["EarliestTime"] > before["RestoreWindow"]["LatestTime"]
    assert not wal & {path.name for path in (place / "wal").iterdir() if "history" not in path.name}
    assert len([path for path in place.iterdir() if path.name != "wal"]) == len(found)
    restore = cloud.client("rds").restore_db_instance_to_point_in_time
    given = {
        "SourceDBInstanceIdentifier": "daily",
        "TargetDBInstanceIdentifier": "daily-back",
        "BackupRetentionPeriod": 0,
    }
    early = before["RestoreWindow"]["LatestTime"]
    assert refusal(restore, RestoreTime=early, **given)[0] == "InvalidParameterValue"
    restore(UseLatestRestorableTime=True, **given)
    assert rows(cloud, cloud.await_status("daily-back")) == [1]


def test_a_retention_of_zero_ends_them_at_once(cloud: Cloud) -> None:
    # UG USER_WorkingWithAutomatedBackups.Disabling: all automated snapshots are deleted.
    rds = cloud.client("rds")
    made = cloud.create("ended", BackupRetentionPeriod=1)
    place = cloud.running.data / "backups" / made["DbiResourceId"]
    assert place.is_dir()
    rds.modify_db_instance(DBInstanceIdentifier="ended", BackupRetentionPeriod=0)
    assert automated(cloud, "ended") == kept(cloud, "ended") == []
    assert not place.exists()
    assert "LatestRestorableTime" not in cloud.describe("ended")
    code, _ = refusal(
        rds.restore_db_instance_to_point_in_time,
        SourceDBInstanceIdentifier="ended",
        TargetDBInstanceIdentifier="ended-back",
        UseLatestRestorableTime=True,
    )
    assert code == "PointInTimeRestoreNotEnabled"
    rds.modify_db_instance(DBInstanceIdentifier="ended", BackupRetentionPeriod=1)
    assert "LatestRestorableTime" in cloud.await_status("ended")
    assert len(automated(cloud, "ended")) == 1


def test_they_begin_with_a_promotion_and_end_with_the_instance(cloud: Cloud) -> None:
    # API PromoteReadReplica, DeleteDBInstance: DeleteAutomatedBackups is true by default.
    rds = cloud.client("rds")
    cloud.create("old", BackupRetentionPeriod=1)
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier="new", SourceDBInstanceIdentifier="old"
    )
    made = cloud.await_status("new")
    assert "LatestRestorableTime" not in made
    assert automated(cloud, "new") == []
    rds.promote_read_replica(DBInstanceIdentifier="new", BackupRetentionPeriod=3)
    promoted = awaited(
        lambda: cloud.describe("new"),
        lambda now: (
            now["DBInstanceStatus"] == "available"
            and "ReadReplicaSourceDBInstanceIdentifier" not in now
        ),
    )
    assert "LatestRestorableTime" in promoted
    assert len(automated(cloud, "new")) == 1
    with cloud.connect(promoted["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows AS SELECT 7 AS id")
    cloud.control("POST", "clock", {"advance": 301})
    rds.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=made["DbiResourceId"],
        TargetDBInstanceIdentifier="new-back",
        UseLatestRestorableTime=True,
        BackupRetentionPeriod=0,
    )
    assert rows(cloud, cloud.await_status("new-back")) == [7]
    rds.delete_db_instance(DBInstanceIdentifier="new", SkipFinalSnapshot=True)
    cloud.await_status("new", "gone")
    assert automated(cloud, "new") == kept(cloud, "new") == []
    assert not (cloud.running.data / "backups" / made["DbiResourceId"]).exists()


def test_what_is_kept_of_a_deleted_instance_goes_when_it_is_too_old(cloud: Cloud) -> None:
    # UG USER_WorkingWithAutomatedBackups.Retaining, USER_ReplicateBackups.
    rds, west = cloud.client("rds"), cloud.client("rds", "us-west-2")
    # What is there else would be backed up daily, too.
    cloud.control("POST", "reset")
    made = cloud.create("aged", BackupRetentionPeriod=1)

    def far() -> list[str]:
        found = west.describe_db_instance_automated_backups(DBInstanceIdentifier="aged")
        return [item["Status"] for item in found["DBInstanceAutomatedBackups"]]

    west.start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=made["DBInstanceArn"], BackupRetentionPeriod=3
    )
    awaited(far, lambda found: found == ["replicating"])
    rds.delete_db_instance(
        DBInstanceIdentifier="aged", SkipFinalSnapshot=True, DeleteAutomatedBackups=False
    )
    cloud.await_status("aged", "gone")
    assert [item["Status"] for item in kept(cloud, "aged")] == ["retained"]
    awaited(far, lambda found: found == ["retained"])
    days(cloud, 2)
    awaited(lambda: kept(cloud, "aged"), lambda found: found == [])
    assert automated(cloud, "aged") == []
    assert far() == ["retained"]
    days(cloud, 2)
    awaited(far, lambda found: found == [])
    assert not (cloud.running.data / "backups" / made["DbiResourceId"]).exists()
