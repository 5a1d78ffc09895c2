"""Conformance: a snapshot is a copy of one moment, and an instance restored of it is a new one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

TAGS = [{"Key": "role", "Value": "primary"}]


@pytest.fixture(scope="module")
def source(cloud: Any) -> Any:
    """An encrypted instance with tags, and a table."""
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    made = cloud.create(
        "kept",
        StorageEncrypted=True,
        KmsKeyId=key,
        DeletionProtection=True,
        CopyTagsToSnapshot=True,
        BackupRetentionPeriod=0,
        MaxAllocatedStorage=100,
        Tags=TAGS,
    )
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE rows AS SELECT 1 AS id")
    return made


def shoot(cloud: Any, name: str, instance: str = "kept", **given: Any) -> dict[str, Any]:
    """Make a snapshot and wait until it is there."""
    rds = cloud.client("rds")
    rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=name, **given)
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200}
    )
    found: dict[str, Any] = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]
    return found


@contextmanager
def restored(cloud: Any, snapshot: str, name: str, **given: Any) -> Iterator[dict[str, Any]]:
    """Restore an instance for a block."""
    rds = cloud.client("rds")
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot, **given
    )
    try:
        yield cloud.await_status(name)
    finally:
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_what_was_committed_before_is_in_it_and_nothing_else(
    cloud: Any, source: dict[str, Any]
) -> None:
    # UG USER_RestoreFromSnapshot: a new instance, with an endpoint and a resource of its own.
    shoot(cloud, "moment")
    with cloud.connect(source["Endpoint"]["Address"]) as session:
        session.execute("INSERT INTO rows VALUES (2)")
    with restored(cloud, "moment", "moment-back") as back:
        assert back["Endpoint"]["Address"] != source["Endpoint"]["Address"]
        assert back["DbiResourceId"] != source["DbiResourceId"]
        with cloud.connect(back["Endpoint"]["Address"]) as session:
            assert session.execute("SELECT id FROM rows").fetchall() == [(1,)]
            session.execute("INSERT INTO rows VALUES (3)")
    with cloud.connect(source["Endpoint"]["Address"]) as session:
        assert session.execute("SELECT id FROM rows ORDER BY id").fetchall() == [(1,), (2,)]


def test_it_is_of_one_moment_whatever_is_written_meanwhile(
    cloud: Any, source: dict[str, Any]
) -> None:
    # UG USER_CreateSnapshot: a storage volume snapshot of the whole instance.
    stop, failed = threading.Event(), []

    def write() -> None:
        with cloud.connect(source["Endpoint"]["Address"]) as session:
            while not stop.is_set():
                with session.transaction():
                    session.execute("INSERT INTO pairs SELECT 1, repeat('x', 5000)")
                    session.execute("INSERT INTO pairs SELECT -1, repeat('x', 5000)")
        failed.append(False)

    with cloud.connect(source["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE pairs (sign int, filler text)")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        shoot(cloud, "busy")
    finally:
        stop.set()
        writer.join()
    assert failed == [False]
    with restored(cloud, "busy", "busy-back") as back:
        query = "SELECT coalesce(sum(sign), 0), count(*) > 0 FROM pairs"
        with cloud.connect(back["Endpoint"]["Address"]) as session:
            assert session.execute(query).fetchone() == (0, True)


def test_states_tags_and_what_is_shown(cloud: Any, source: dict[str, Any]) -> None:
    # API CreateDBSnapshot and DBSnapshot; UG USER_Tagging: given tags are in place of copied ones.
    cloud.control("POST", "latency", {"snapshot": 0.3})
    rds = cloud.client("rds")
    try:
        made = rds.create_db_snapshot(
            DBInstanceIdentifier="kept", DBSnapshotIdentifier="Shown", Tags=[]
        )["DBSnapshot"]
        assert (made["Status"], made["PercentProgress"]) == ("creating", 0)
        assert cloud.describe("kept")["DBInstanceStatus"] == "backing-up"
        refused = {"DBInstanceIdentifier": "kept", "DBSnapshotIdentifier": "two"}
        assert refusal(rds.create_db_snapshot, **refused)[0] == "InvalidDBInstanceState"
        early = {"DBSnapshotIdentifier": "shown"}
        assert refusal(rds.delete_db_snapshot, **early)[0] == "InvalidDBSnapshotState"
        restore = rds.restore_db_instance_from_db_snapshot
        code, _ = refusal(restore, DBInstanceIdentifier="early", **early)
        assert code == "InvalidDBSnapshotState"
        cloud.await_status("kept")
    finally:
        cloud.control("POST", "latency", {"snapshot": 0})
    (found,) = rds.describe_db_snapshots(DBSnapshotIdentifier="shown")["DBSnapshots"]
    assert (found["Status"], found["PercentProgress"]) == ("available", 100)
    assert (found["SnapshotType"], found["Encrypted"]) == ("manual", True)
    assert (found["KmsKeyId"], found["TagList"]) == (source["KmsKeyId"], TAGS)
    assert found["DBSnapshotArn"].endswith(":snapshot:shown")
    own = [{"Key": "own", "Value": "tag"}]
    assert shoot(cloud, "tagged", Tags=own)["TagList"] == own
    assert rds.list_tags_for_resource(ResourceName=found["DBSnapshotArn"])["TagList"] == TAGS


def test_they_are_found_by_instance_type_and_filter(cloud: Any, source: dict[str, Any]) -> None:
    # API DescribeDBSnapshots.
    rds = cloud.client("rds")
    shoot(cloud, "found")

    def names(**given: Any) -> set[str]:
        found = rds.describe_db_snapshots(**given)["DBSnapshots"]
        return {item["DBSnapshotIdentifier"] for item in found}

    assert "found" in names()
    assert "found" in names(DBInstanceIdentifier="KEPT", SnapshotType="manual")
    assert "found" in names(DbiResourceId=source["DbiResourceId"])
    assert names(DBInstanceIdentifier="other") == set()
    assert names(DBInstanceIdentifier="kept", SnapshotType="automated") == set()
    assert names(Filters=[{"Name": "db-snapshot-id", "Values": ["found", "x"]}]) == {"found"}
    code, _ = refusal(rds.describe_db_snapshots, Filters=[{"Name": "tag", "Values": ["x"]}])
    assert code == "InvalidParameterValue"


def test_little_is_taken_over_by_an_instance_restored(cloud: Any, source: dict[str, Any]) -> None:
    # API RestoreDBInstanceFromDBSnapshot: the defaults of each parameter.
    assert source["DeletionProtection"]
    assert source["MaxAllocatedStorage"] == 100
    shoot(cloud, "inherited")
    with restored(cloud, "inherited", "inherited-back") as back:
        assert not back["DeletionProtection"]
        assert not back["MultiAZ"]
        assert "MaxAllocatedStorage" not in back
        assert back["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres15"
        for same in ("KmsKeyId", "StorageEncrypted", "MasterUsername", "AllocatedStorage"):
            assert back[same] == source[same]
        assert back["TagList"] == TAGS
    with restored(cloud, "inherited", "tagged-back", Tags=[{"Key": "a", "Value": "b"}]) as back:
        assert back["TagList"] == [{"Key": "a", "Value": "b"}]


REFUSED = [
    ("create_db_snapshot", {"DBInstanceIdentifier": "none"}, "DBInstanceNotFound"),
    ("create_db_snapshot", {"DBSnapshotIdentifier": "there"}, "DBSnapshotAlreadyExists"),
    ("create_db_snapshot", {"DBSnapshotIdentifier": "THERE"}, "DBSnapshotAlreadyExists"),
    ("create_db_snapshot", {"DBSnapshotIdentifier": "two--hyphens"}, "InvalidParameterValue"),
    ("create_db_snapshot", {"DBSnapshotIdentifier": "rds:kept"}, "InvalidParameterValue"),
    ("create_db_snapshot", {"DBSnapshotIdentifier": "a" * 256}, "InvalidParameterValue"),
    ("delete_db_snapshot", {}, "DBSnapshotNotFound"),
    ("restore_db_instance_from_db_snapshot", {}, "DBSnapshotNotFound"),
    (
        "restore_db_instance_from_db_snapshot",
        {"DBSnapshotIdentifier": "there", "DBInstanceIdentifier": "kept"},
        "DBInstanceAlreadyExists",
    ),
    (
        "restore_db_instance_from_db_snapshot",
        {"DBSnapshotIdentifier": "there", "AllocatedStorage": 5},
        "InvalidParameterCombination",
    ),
]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("operation", "given", "code"), REFUSED)
def test_what_is_refused(cloud: Any, operation: str, given: dict[str, Any], code: str) -> None:
    # API CreateDBSnapshot, DeleteDBSnapshot, RestoreDBInstanceFromDBSnapshot: their errors.
    rds = cloud.client("rds")
    if not rds.describe_db_snapshots(Filters=[{"Name": "db-snapshot-id", "Values": ["there"]}])[
        "DBSnapshots"
    ]:
        shoot(cloud, "there")
    named = {"DBSnapshotIdentifier": "new"}
    if operation != "delete_db_snapshot":
        named["DBInstanceIdentifier"] = "kept" if operation == "create_db_snapshot" else "new"
    found, message = refusal(getattr(rds, operation), **named | given)
    assert found == code, message


def test_one_that_is_deleted_is_gone_with_its_files(cloud: Any, source: dict[str, Any]) -> None:
    # API DeleteDBSnapshot.
    rds = cloud.client("rds")
    shoot(cloud, "gone")
    folder = cloud.running.data / "snapshots"
    before = len(list(folder.iterdir()))
    deleted = rds.delete_db_snapshot(DBSnapshotIdentifier="gone")["DBSnapshot"]
    assert deleted["Status"] == "deleted"
    assert len(list(folder.iterdir())) == before - 1
    assert refusal(rds.delete_db_snapshot, DBSnapshotIdentifier="gone")[0] == "DBSnapshotNotFound"
    with cloud.connect(source["Endpoint"]["Address"]) as session:
        assert session.execute("SELECT slot_name FROM pg_replication_slots").fetchall() == []
