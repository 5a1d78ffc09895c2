"""Conformance: an instance restored to a moment has what was committed before, and nothing else."""

from __future__ import annotations

import datetime as dt
import shutil
import urllib.error
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
    archive(cloud)
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


@pytest.mark.parametrize("standby", [True, False])
def test_over_the_death_of_the_primary_without_a_gap(cloud: Any, *, standby: bool) -> None:
    # UG USER_PIT; what was acknowledged before is in the archive afterwards.
    name = f"dies-{'twice' if standby else 'once'}"
    made = cloud.create(name, BackupRetentionPeriod=1, MultiAZ=standby)
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows AS SELECT 1 AS id")
    if standby:
        awaited(
            lambda: cloud.control("GET", "health")["standbys"],
            lambda arns: made["DBInstanceArn"] in arns,
        )
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        # Some segments that the dead one may not have archived.
        session.execute(
            "INSERT INTO rows SELECT 2 FROM generate_series(1, 30000); INSERT INTO rows VALUES (3)"
        )
        moment = session.execute("SELECT clock_timestamp()").fetchone()[0]
        cloud.control("POST", "disturbances", {"action": "kill", "instance": name})
    cloud.await_row(made["Endpoint"]["Address"], "SELECT max(id) FROM rows", (3,))
    cloud.await_status(name)
    write(cloud, made, 4)
    archive(cloud)
    given = {"SourceDBInstanceIdentifier": name, "RestoreTime": moment}
    with restored(cloud, f"{name}-back", **given) as back:
        assert rows(cloud, back)[-1] == 3
        assert len(rows(cloud, back)) == 30002
    remove(cloud, name)


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


def broken(cloud: Any, **given: Any) -> None:
    """Restore an instance, which has to fail with an event."""
    restore(cloud, "past-broken", **given)
    cloud.await_status("past-broken", "restore-error")
    (event,) = cloud.client("rds").describe_events(
        SourceIdentifier="past-broken", SourceType="db-instance", Duration=1
    )["Events"][-1:]
    assert event["EventCategories"] == ["failure"]
    remove(cloud, "past-broken")


@pytest.mark.parametrize("action", ["remove-wal", "damage-wal", "damage-base"])
def test_damaged_backups_are_an_error_and_never_a_shorter_past(cloud: Any, action: str) -> None:
    # UG Accessing.Monitoring: restore-error.
    made = cloud.create(f"past-{action}", BackupRetentionPeriod=1)
    (arn,) = (
        row["arn"]
        for row in cloud.control("GET", "backups")["backups"]
        if row["resource"] == made["DbiResourceId"]
    )
    archive(cloud)
    cloud.control("POST", "backups", {"action": action, "arn": arn})
    name = made["DBInstanceIdentifier"]
    broken(cloud, SourceDBInstanceIdentifier=name)
    moment = cloud.describe(name)["LatestRestorableTime"]
    broken(cloud, SourceDBInstanceIdentifier=name, RestoreTime=moment)
    remove(cloud, name)


@pytest.mark.usefixtures("source")
def test_the_next_restore_goes_wrong_as_it_is_told_to(cloud: Any) -> None:
    for status in ("incompatible-restore", "storage-full"):
        cloud.control("POST", "backups", {"action": "fail-restore", "status": status})
        restore(cloud, "past-told")
        cloud.await_status("past-told", status)
        remove(cloud, "past-told")
    cloud.control("POST", "backups", {"action": "misversion-restore", "version": "14.9"})
    with restored(cloud, "past-other") as made:
        assert made["EngineVersion"] == "14.9"
    cloud.control("POST", "backups", {"action": "hang-restore"})
    restore(cloud, "past-hanging")
    with restored(cloud, "past-beside"):
        assert cloud.describe("past-hanging")["DBInstanceStatus"] == "creating"
    cloud.control("POST", "backups", {"action": "release-restores"})
    cloud.await_status("past-hanging")
    remove(cloud, "past-hanging")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"action": "burn"},
        {"action": "remove-wal", "arn": "none"},
        {"action": "fail-restore", "status": "available"},
    ],
)
def test_what_cannot_be_damaged_is_told(cloud: Any, given: dict[str, str]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        cloud.control("POST", "backups", given)
