"""Conformance: an instance restored to a moment has what was committed before, and nothing else."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.local.localcloud.conftest import awaited
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

WEST = "us-west-2"
TAGS = [{"Key": "role", "Value": "primary"}]
MINUTES = dt.timedelta(minutes=10)


@pytest.fixture(scope="module")
def source(cloud: Any) -> Any:
    """An encrypted instance whose backups are replicated."""
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    far = cloud.client("kms", WEST).create_key()["KeyMetadata"]["Arn"]
    made = cloud.create(
        "past",
        DBInstanceClass="db.m5.large",
        StorageEncrypted=True,
        KmsKeyId=key,
        MultiAZ=True,
        DeletionProtection=True,
        MaxAllocatedStorage=100,
        BackupRetentionPeriod=7,
        Tags=TAGS,
    )
    cloud.client("rds", WEST).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=made["DBInstanceArn"], KmsKeyId=far, BackupRetentionPeriod=3
    )
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows (id int)")
    return made


def write(cloud: Any, made: dict[str, Any], row: int) -> dt.datetime:
    """Commit a row, and return a moment after it."""
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("INSERT INTO rows VALUES (%s)", (row,))
        found: dt.datetime = session.execute("SELECT clock_timestamp()").fetchone()[0]
    return found


def rows(cloud: Any, made: dict[str, Any]) -> list[int]:
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        return [row[0] for row in session.execute("SELECT id FROM rows ORDER BY id")]


def archive(cloud: Any) -> None:
    """Let the five minutes pass after which WAL is archived."""
    cloud.control("POST", "clock", {"advance": 301})


def restore(cloud: Any, name: str, region: str = "us-east-1", **given: Any) -> dict[str, Any]:
    plain = {"BackupRetentionPeriod": 0}
    if not any(key.startswith("Source") for key in given):
        plain["SourceDBInstanceIdentifier"] = "past"  # type: ignore[assignment]
    if "RestoreTime" not in given:
        plain["UseLatestRestorableTime"] = True
    made: dict[str, Any] = cloud.client("rds", region).restore_db_instance_to_point_in_time(
        TargetDBInstanceIdentifier=name, **plain | given
    )["DBInstance"]
    return made


@contextmanager
def restored(
    cloud: Any, name: str, region: str = "us-east-1", **given: Any
) -> Iterator[dict[str, Any]]:
    """Restore an instance for a block."""
    restore(cloud, name, region, **given)
    try:
        yield cloud.await_status(name, region=region)
    finally:
        remove(cloud, name, region)


def remove(cloud: Any, name: str, region: str = "us-east-1", **given: Any) -> None:
    rds = cloud.client("rds", region)
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, **given)
    cloud.await_status(name, "gone", region)


def test_a_moment_has_what_was_committed_before_it(cloud: Any, source: dict[str, Any]) -> None:
    # UG USER_PIT: to any second of the retention period up to LatestRestorableTime.
    moment = write(cloud, source, 1)
    write(cloud, source, 2)
    late = cloud.describe("past")["LatestRestorableTime"]
    assert late < moment
    archive(cloud)
    assert cloud.describe("past")["LatestRestorableTime"] > moment
    with restored(cloud, "past-then", RestoreTime=moment) as then:
        assert rows(cloud, then) == [1]
        assert then["DbiResourceId"] != source["DbiResourceId"]
        write(cloud, then, 3)
    with restored(cloud, "past-late") as latest:
        assert rows(cloud, latest) == [1, 2]
    assert rows(cloud, source) == [1, 2]


def test_what_is_not_archived_is_not_there(cloud: Any, source: dict[str, Any]) -> None:
    # The live source is never read.
    archive(cloud)
    before = rows(cloud, source)
    write(cloud, source, 10)
    with restored(cloud, "past-archived") as made:
        assert rows(cloud, made) == before


def test_an_idle_instance_can_be_restored_to_any_moment(cloud: Any, source: dict[str, Any]) -> None:
    # Nobody commits after the moment: the recovery still arrives there.
    archive(cloud)
    moment = cloud.describe("past")["LatestRestorableTime"]
    with restored(cloud, "past-idle", RestoreTime=moment) as made:
        assert rows(cloud, made) == rows(cloud, source)


def test_little_is_taken_over(cloud: Any, source: dict[str, Any]) -> None:
    # API RestoreDBInstanceToPointInTime: the defaults of each parameter; False and 0 count.
    with restored(cloud, "past-plain", BackupRetentionPeriod=0) as made:
        assert not made["DeletionProtection"]
        assert not made["MultiAZ"]
        assert made["BackupRetentionPeriod"] == 0
        assert "LatestRestorableTime" not in made
        assert "MaxAllocatedStorage" not in made
        assert made["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres15"
        assert made["TagList"] == TAGS
        for same in ("KmsKeyId", "DBInstanceClass", "MasterUsername", "AllocatedStorage"):
            assert made[same] == source[same]
    given: dict[str, Any] = {
        "DBInstanceClass": "db.t3.micro",
        "Tags": [{"Key": "scratch", "Value": "yes"}],
        "BackupRetentionPeriod": 1,
        "PubliclyAccessible": False,
        "MultiAZ": False,
        "DeletionProtection": False,
    }
    with restored(cloud, "past-own", **given) as made:
        assert made["TagList"] == given["Tags"]
        # Fewer connections than the source has.
        assert made["DBInstanceClass"] == "db.t3.micro"
        assert made["LatestRestorableTime"] >= made["InstanceCreateTime"]
        assert "backing-up" in made["seen"]
        with restored(cloud, "past-of-own", SourceDBInstanceIdentifier="past-own") as again:
            assert rows(cloud, again) == rows(cloud, made)


REFUSED = [
    ({"SourceDbiResourceId": "db-X"}, "InvalidParameterCombination"),
    ({"SourceDBInstanceIdentifier": None}, "InvalidParameterCombination"),
    ({"UseLatestRestorableTime": False}, "InvalidParameterCombination"),
    ({"RestoreTime": "now"}, "InvalidParameterCombination"),
    ({"UseLatestRestorableTime": None, "RestoreTime": "later"}, "InvalidParameterValue"),
    ({"UseLatestRestorableTime": None, "RestoreTime": "earlier"}, "InvalidParameterValue"),
    ({"SourceDBInstanceIdentifier": "none"}, "DBInstanceNotFound"),
    (
        {"SourceDBInstanceIdentifier": None, "SourceDbiResourceId": "db-X"},
        "DBInstanceAutomatedBackupNotFound",
    ),
    (
        {"SourceDBInstanceIdentifier": None, "SourceDBInstanceAutomatedBackupsArn": "arn:x"},
        "DBInstanceAutomatedBackupNotFound",
    ),
    ({"SourceDBInstanceIdentifier": "past-without"}, "PointInTimeRestoreNotEnabled"),
    ({"TargetDBInstanceIdentifier": "PAST"}, "DBInstanceAlreadyExists"),
    ({"TargetDBInstanceIdentifier": "two--hyphens"}, "InvalidParameterValue"),
    ({"TargetDBInstanceIdentifier": None}, "ParamValidation"),
    ({"AllocatedStorage": 5}, "InvalidParameterCombination"),
    ({"DBInstanceClass": "db.none"}, "InvalidParameterValue"),
    ({"DBParameterGroupName": "none"}, "DBParameterGroupNotFound"),
    ({"DBSubnetGroupName": "none"}, "DBSubnetGroupNotFoundFault"),
    ({"BackupRetentionPeriod": 36}, "InvalidParameterValue"),
    ({"OptionGroupName": "own"}, "InvalidAction"),
    ({"Engine": "mysql"}, "InvalidParameterValue"),
]


@pytest.mark.parametrize(("given", "code"), REFUSED)
def test_what_is_refused(
    cloud: Any, source: dict[str, Any], given: dict[str, Any], code: str
) -> None:
    # API RestoreDBInstanceToPointInTime: its errors.
    if given.get("SourceDBInstanceIdentifier") == "past-without":
        cloud.create("past-without", BackupRetentionPeriod=0)
    moments = {
        "now": cloud.describe("past")["LatestRestorableTime"],
        "later": cloud.describe("past")["LatestRestorableTime"] + MINUTES,
        "earlier": source["InstanceCreateTime"] - MINUTES,
    }
    plain: dict[str, Any] = {
        "SourceDBInstanceIdentifier": "past",
        "TargetDBInstanceIdentifier": "past-refused",
        "UseLatestRestorableTime": True,
    }
    wanted: dict[str, Any] = {
        key: value for key, value in (plain | given).items() if value is not None
    }
    if "RestoreTime" in wanted:
        wanted["RestoreTime"] = moments[wanted["RestoreTime"]]
    call = cloud.client("rds").restore_db_instance_to_point_in_time
    if code == "ParamValidation":
        with pytest.raises(Exception, match="Missing required parameter"):
            call(**wanted)
        return
    found, message = refusal(call, **wanted)
    assert found == code, message


def test_over_a_failover_without_a_gap(cloud: Any, source: dict[str, Any]) -> None:
    # UG USER_PIT: Multi-AZ; the archive goes on with what was the standby.
    before = write(cloud, source, 20)
    cloud.client("rds").reboot_db_instance(DBInstanceIdentifier="past", ForceFailover=True)
    cloud.await_status("past")
    after = write(cloud, source, 21)
    write(cloud, source, 22)
    archive(cloud)
    with restored(cloud, "past-before", RestoreTime=before) as made:
        assert rows(cloud, made)[-1] == 20
    with restored(cloud, "past-after", RestoreTime=after) as made:
        assert rows(cloud, made)[-1] == 21


def test_two_at_once_and_a_source_that_is_deleted_meanwhile(cloud: Any) -> None:
    made = cloud.create("brief", BackupRetentionPeriod=1)
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows AS SELECT 1 AS id")
    archive(cloud)
    names = ("brief-one", "brief-two")
    for name in names:
        restore(cloud, name, SourceDBInstanceIdentifier="brief")
    remove(cloud, "brief")
    for name in names:
        assert rows(cloud, cloud.await_status(name)) == [1]
        remove(cloud, name)


def test_the_copy_in_another_region_needs_nothing_of_the_first(cloud: Any) -> None:
    # UG USER_ReplicateBackups: restored there by the ARN, also when the source is gone.
    key = cloud.client("kms", WEST).create_key()["KeyMetadata"]["Arn"]
    west = cloud.client("rds", WEST)
    made = cloud.create("lost", BackupRetentionPeriod=1, StorageEncrypted=True)
    arn = west.start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=made["DBInstanceArn"], KmsKeyId=key
    )["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"]

    def shown() -> dict[str, Any]:
        found = west.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=arn)
        only: dict[str, Any] = found["DBInstanceAutomatedBackups"][0]
        return only

    awaited(shown, lambda found: found["Status"] == "replicating")
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows AS SELECT 1 AS id")
    archive(cloud)
    latest = cloud.describe("lost")["LatestRestorableTime"]
    copy = shown()
    assert copy["RestoreWindow"]["LatestTime"] == latest
    remove(cloud, "lost")
    shutil.rmtree(cloud.running.data / "backups" / made["DbiResourceId"], ignore_errors=True)
    with restored(cloud, "lost-west", WEST, SourceDBInstanceAutomatedBackupsArn=arn) as back:
        assert rows(cloud, back) == [1]
        assert back["KmsKeyId"] == key
        assert back["AvailabilityZone"].startswith(WEST)
    west.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=arn)


def test_lost_wal_is_an_error_and_never_a_shorter_past(cloud: Any, source: dict[str, Any]) -> None:
    # UG Accessing.Monitoring: restore-error.
    write(cloud, source, 30)
    archive(cloud)
    write(cloud, source, 31)
    archive(cloud)
    place = cloud.running.data / "backups" / source["DbiResourceId"] / "wal"
    newest = max(path for path in place.iterdir() if len(path.name) == 24)
    kept = newest.read_bytes()
    newest.unlink()
    # Gone, emptied, and with nothing but the header of its first page.
    for damage in (None, bytes(len(kept)), kept[:40] + bytes(len(kept) - 40)):
        if damage is not None:
            newest.write_bytes(damage)
            newest.chmod(0o644)
        for given in ({}, {"RestoreTime": cloud.describe("past")["LatestRestorableTime"]}):
            restore(cloud, "past-broken", **given)
            cloud.await_status("past-broken", "restore-error")
            (event,) = cloud.client("rds").describe_events(
                SourceIdentifier="past-broken", SourceType="db-instance", Duration=1
            )["Events"][-1:]
            assert event["EventCategories"] == ["failure"]
            remove(cloud, "past-broken")
    newest.write_bytes(kept)
    newest.chmod(0o644)
    with restored(cloud, "past-whole") as made:
        assert rows(cloud, made)[-1] == 31
