"""Conformance: what is kept of an instance that is deleted, and copies of snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.localcloud.conftest import awaited
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

WEST = "us-west-2"


def made_with_row(cloud: Any, name: str, **given: Any) -> dict[str, Any]:
    made: dict[str, Any] = cloud.create(name, **given)
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows AS SELECT 1 AS id")
    return made


def rows(cloud: Any, name: str, region: str = "us-east-1") -> list[int]:
    made = cloud.await_status(name, region=region)
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        return [row[0] for row in session.execute("SELECT id FROM rows ORDER BY id")]


def snapshot(cloud: Any, name: str, region: str = "us-east-1") -> dict[str, Any]:
    rds = cloud.client("rds", region)
    found: dict[str, Any] = awaited(
        lambda: rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0],
        lambda item: item["Status"] != "creating",
    )
    assert (found["Status"], found["PercentProgress"]) == ("available", 100)
    return found


def test_backups_of_a_deleted_instance_are_kept_when_asked(cloud: Any) -> None:
    # API DeleteDBInstance, DeleteDBInstanceAutomatedBackup; UG: retaining automated backups.
    rds = cloud.client("rds")
    made = made_with_row(cloud, "retained", BackupRetentionPeriod=1)
    resource = {"DbiResourceId": made["DbiResourceId"]}
    code, _ = refusal(rds.delete_db_instance_automated_backup, **resource)
    assert code == "InvalidDBInstanceAutomatedBackupState"
    rds.delete_db_instance(
        DBInstanceIdentifier="retained", SkipFinalSnapshot=True, DeleteAutomatedBackups=False
    )
    cloud.await_status("retained", "gone")
    (row,) = rds.describe_db_instance_automated_backups(**resource)["DBInstanceAutomatedBackups"]
    assert (row["Status"], row["DBInstanceIdentifier"]) == ("retained", "retained")
    status = [{"Name": "status", "Values": ["retained"]}]
    only = rds.describe_db_instance_automated_backups(Filters=status)["DBInstanceAutomatedBackups"]
    assert [item["DbiResourceId"] for item in only] == [made["DbiResourceId"]]
    (kept,) = rds.describe_db_snapshots(SnapshotType="automated", **resource)["DBSnapshots"]
    # Another of that name is no source for the first one's past.
    cloud.create("retained", BackupRetentionPeriod=1)
    rds.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=made["DbiResourceId"],
        TargetDBInstanceIdentifier="retained-back",
        UseLatestRestorableTime=True,
        BackupRetentionPeriod=0,
    )
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="retained-first",
        DBSnapshotIdentifier=kept["DBSnapshotIdentifier"],
        BackupRetentionPeriod=0,
    )
    assert rows(cloud, "retained-back") == [1]
    cloud.await_status("retained-first")
    arn = row["DBInstanceAutomatedBackupsArn"]
    deleted = rds.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=arn)
    assert deleted["DBInstanceAutomatedBackup"]["Status"] == "deleting"
    code, _ = refusal(rds.delete_db_instance_automated_backup, **resource)
    assert code == "DBInstanceAutomatedBackupNotFound"
    assert not (cloud.running.data / "backups" / made["DbiResourceId"]).exists()


def test_a_final_snapshot_is_the_last_of_an_instance(cloud: Any) -> None:
    # API DeleteDBInstance: FinalDBSnapshotIdentifier.
    rds = cloud.client("rds")
    tags = [{"Key": "role", "Value": "primary"}]
    made_with_row(cloud, "final", BackupRetentionPeriod=0, CopyTagsToSnapshot=True, Tags=tags)
    given = {"DBInstanceIdentifier": "final", "FinalDBSnapshotIdentifier": "Final-Last"}
    rds.delete_db_instance(**given)
    cloud.await_status("final", "gone")
    found = snapshot(cloud, "final-last")
    assert (found["SnapshotType"], found["TagList"]) == ("manual", tags)
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="final", DBSnapshotIdentifier="final-last"
    )
    assert rows(cloud, "final") == [1]
    assert refusal(rds.delete_db_instance, **given)[0] == "DBSnapshotAlreadyExists"
    assert cloud.describe("final")["DBInstanceStatus"] == "available"


TAGS = [{"Key": "a", "Value": "b"}]


@pytest.fixture(scope="module")
def first(cloud: Any) -> Any:
    """A snapshot of an encrypted instance."""
    made_with_row(cloud, "copied", BackupRetentionPeriod=0, StorageEncrypted=True)
    cloud.client("rds").create_db_snapshot(
        DBInstanceIdentifier="copied", DBSnapshotIdentifier="copied-one", Tags=TAGS
    )
    return snapshot(cloud, "copied-one")


def test_a_copy_beside_the_first_one(cloud: Any, first: dict[str, Any]) -> None:
    # API CopyDBSnapshot; UG USER_CopySnapshot: re-encryption.
    rds = cloud.client("rds")
    near = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    given = {
        "SourceDBSnapshotIdentifier": "copied-one",
        "TargetDBSnapshotIdentifier": "copied-two",
    }
    rds.copy_db_snapshot(**given, KmsKeyId=near, CopyTags=True)
    second = snapshot(cloud, "copied-two")
    assert (second["KmsKeyId"], second["TagList"]) == (near, TAGS)
    assert second["OriginalSnapshotCreateTime"] == first["SnapshotCreateTime"]
    assert refusal(rds.copy_db_snapshot, **given)[0] == "DBSnapshotAlreadyExists"


def test_a_copy_needs_nothing_of_the_first_one(cloud: Any, first: dict[str, Any]) -> None:
    # UG USER_CopySnapshot: across regions with a key of the destination.
    rds, west = cloud.client("rds"), cloud.client("rds", WEST)
    near = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    far = cloud.client("kms", WEST).create_key()["KeyMetadata"]["Arn"]
    across = {
        "SourceDBSnapshotIdentifier": first["DBSnapshotArn"],
        "TargetDBSnapshotIdentifier": "copied-far",
        "SourceRegion": "us-east-1",
    }
    assert refusal(west.copy_db_snapshot, **across)[0] == "InvalidParameterCombination"
    code, _ = refusal(west.copy_db_snapshot, **across, KmsKeyId=near)
    assert code == "KMSKeyNotAccessibleFault"
    none = {**across, "SourceDBSnapshotIdentifier": first["DBSnapshotArn"] + "x"}
    assert refusal(west.copy_db_snapshot, **none, KmsKeyId=far)[0] == "DBSnapshotNotFound"
    restore = west.restore_db_instance_from_db_snapshot
    code, _ = refusal(
        restore, DBInstanceIdentifier="x", DBSnapshotIdentifier=first["DBSnapshotArn"]
    )
    assert code == "DBSnapshotNotFound"
    west.copy_db_snapshot(**across, KmsKeyId=far)
    third = snapshot(cloud, "copied-far", WEST)
    assert (third["KmsKeyId"], third["TagList"]) == (far, [])
    assert (third["SourceRegion"], third["SourceDBSnapshotIdentifier"]) == (
        "us-east-1",
        first["DBSnapshotArn"],
    )
    rds.delete_db_snapshot(DBSnapshotIdentifier="copied-one")
    west.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="copied-far",
        DBSnapshotIdentifier="copied-far",
        BackupRetentionPeriod=0,
    )
    assert rows(cloud, "copied-far", WEST) == [1]


def test_an_automated_snapshot_is_kept_by_copying_it(cloud: Any) -> None:
    # UG USER_CopySnapshot: an automated snapshot is copied to make it manual.
    rds = cloud.client("rds")
    cloud.create("brought", BackupRetentionPeriod=1)
    (first,) = rds.describe_db_snapshots(SnapshotType="automated", DBInstanceIdentifier="brought")[
        "DBSnapshots"
    ]
    cloud.control("POST", "latency", {"snapshot": 0.5})
    try:
        made = rds.copy_db_snapshot(
            SourceDBSnapshotIdentifier=first["DBSnapshotIdentifier"],
            TargetDBSnapshotIdentifier="brought-copy",
        )["DBSnapshot"]
        assert (made["Status"], made["PercentProgress"]) == ("creating", 0)
        percents = []

        def progress() -> int:
            found = rds.describe_db_snapshots(DBSnapshotIdentifier="brought-copy")["DBSnapshots"]
            percents.append(found[0]["PercentProgress"])
            return int(percents[-1])

        awaited(progress, lambda percent: percent == 100)
        assert percents == sorted(percents)
        assert len(set(percents)) > 2
    finally:
        cloud.control("POST", "latency", {"snapshot": 0})
    assert snapshot(cloud, "brought-copy")["SnapshotType"] == "manual"


def test_a_restore_takes_time_by_its_size(cloud: Any) -> None:
    # The option ``restore-per-gib`` of the local cloud.
    rds = cloud.client("rds")
    cloud.create("sized", BackupRetentionPeriod=1)
    cloud.control("POST", "latency", {"restore-per-gib": 0.1})
    try:
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="sized",
            TargetDBInstanceIdentifier="sized-back",
            UseLatestRestorableTime=True,
            BackupRetentionPeriod=0,
        )
        started = cloud.describe("sized-back")
        assert started["DBInstanceStatus"] == "creating"
        made = cloud.await_status("sized-back")
        (event,) = rds.describe_events(SourceIdentifier="sized-back", SourceType="db-instance")[
            "Events"
        ]
        assert (event["Date"] - made["InstanceCreateTime"]).total_seconds() >= 2
    finally:
        cloud.control("POST", "latency", {"restore-per-gib": 0})
