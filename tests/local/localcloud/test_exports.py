"""Conformance: StartExportTask makes Parquet of a snapshot in RDS's layout, with its skips."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.local.localcloud.conftest import awaited
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

TABLES = """
CREATE SCHEMA health;
CREATE TYPE health.mood AS ENUM ('low', 'high');
CREATE TABLE health.every (
    i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, b boolean, by bytea,
    n numeric, d date, ts timestamptz, u uuid, j jsonb, a integer[], m health.mood, ip inet, o oid
);
INSERT INTO health.every VALUES (1, 2, 3, 0.5, 0.25, true, '\\x00ff', 'NaN', 'infinity',
    '2026-01-01 00:00+00', '00000000-0000-0000-0000-000000000000', '{"a": 1}', '{1,NULL}', 'high',
    '10.0.0.1', 7);
INSERT INTO health.every DEFAULT VALUES;
CREATE TABLE health.empty (id integer);
CREATE TABLE health."odd/name" (id integer);
CREATE TABLE health.spaced ("a column" integer);
CREATE UNLOGGED TABLE health.passing (id integer);
"""
BUCKET = "exported-here"
PLACE = "some/prefix"
WHOLE = {"S3BucketName": BUCKET, "S3Prefix": PLACE}


@pytest.fixture(scope="module")
def given(cloud: Any) -> dict[str, Any]:
    """A snapshot, a bucket, a role and a key."""
    made = cloud.create("shipped", BackupRetentionPeriod=0)
    with cloud.connect(made["Endpoint"]["Address"]) as session:
        session.execute(TABLES)
    rds = cloud.client("rds")
    arn = rds.create_db_snapshot(DBInstanceIdentifier="shipped", DBSnapshotIdentifier="shipped")
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier="shipped", WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200}
    )
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    return WHOLE | {
        "SourceArn": arn["DBSnapshot"]["DBSnapshotArn"],
        "IamRoleArn": role(cloud, "shipper", "export.rds.amazonaws.com"),
        "KmsKeyId": cloud.client("kms").create_key()["KeyMetadata"]["Arn"],
    }


def role(cloud: Any, name: str, principal: str) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
        ],
    }
    made = cloud.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(trust)
    )
    arn: str = made["Role"]["Arn"]
    return arn


def ended(cloud: Any, name: str) -> dict[str, Any]:
    """Wait until a task is over."""

    def look() -> dict[str, Any]:
        answer = cloud.client("rds").describe_export_tasks(ExportTaskIdentifier=name)
        task: dict[str, Any] = answer["ExportTasks"][0]
        return task

    return awaited(look, lambda task: task["Status"] in ("COMPLETE", "FAILED", "CANCELED"))


def objects(cloud: Any, name: str) -> dict[str, bytes]:
    s3 = cloud.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{PLACE}/{name}/").get("Contents", [])
    return {
        item["Key"].removeprefix(f"{PLACE}/{name}/"): s3.get_object(Bucket=BUCKET, Key=item["Key"])[
            "Body"
        ].read()
        for item in listed
    }


def test_tables_become_parquet_with_the_types_of_rds(cloud: Any, given: dict[str, Any]) -> None:
    # UG USER_ExportSnapshot: layout, type mapping, what is skipped.
    answer = cloud.client("rds").start_export_task(ExportTaskIdentifier="all-of-it", **given)
    assert answer["Status"] == "STARTING"
    task = ended(cloud, "all-of-it")
    assert (task["Status"], task["PercentProgress"]) == ("COMPLETE", 100)
    warned = json.loads(task["WarningMessage"])["skippedTables"]
    assert [item["tableName"] for item in warned] == [
        "haven.health.odd/name",
        "haven.health.spaced",
    ]
    found = objects(cloud, "all-of-it")
    (part,) = [name for name in found if name.endswith(".parquet")]
    assert part.startswith("haven/health.every/1/part-00000-")
    assert {name for name in found if name.endswith("_SUCCESS")} == {
        "haven/health.every/1/_SUCCESS",
        "haven/health.empty/1/_SUCCESS",
    }
    table = pq.read_table(io.BytesIO(found[part]))
    assert [str(one.type) for one in table.schema] == [
        "int32", "int32", "int64", "float", "double", "bool", "binary", *["string"] * 8,
    ]  # fmt: skip
    assert table.to_pylist()[0] | {"by": b""} == {
        "i2": 1, "i4": 2, "i8": 3, "f4": 0.5, "f8": 0.25, "b": True, "by": b"", "n": "NaN",
        "d": "infinity", "ts": "2026-01-01 00:00:00+00", "u": "00000000-0000-0000-0000-000000000000",
        "j": '{"a": 1}', "a": "{1,NULL}", "m": "high", "ip": "10.0.0.1/32",
    }  # fmt: skip
    info = json.loads(found["export_info_all-of-it.json"])
    assert (info["status"], info["exportTaskIdentifier"]) == ("COMPLETE", "all-of-it")
    tables = json.loads(found["export_tables_info_all-of-it_from_1_to_2.json"])["perTableStatus"]
    assert [one["target"] for one in tables] == ["haven.health.empty", "haven.health.every"]
    start = cloud.client("rds").start_export_task
    code, _ = refusal(start, ExportTaskIdentifier="all-of-it", **given)
    assert code == "ExportTaskAlreadyExists"


def test_a_part_of_it_is_what_was_asked_for(cloud: Any, given: dict[str, Any]) -> None:
    rds = cloud.client("rds")
    rds.start_export_task(
        ExportTaskIdentifier="one-table", ExportOnly=["haven.health.empty"], **given
    )
    assert ended(cloud, "one-table")["Status"] == "COMPLETE"
    assert [name for name in objects(cloud, "one-table") if "/" in name] == [
        "haven/health.empty/1/_SUCCESS"
    ]
    rds.start_export_task(ExportTaskIdentifier="nothing", ExportOnly=["elsewhere"], **given)
    assert ended(cloud, "nothing")["Status"] == "FAILED"


def test_a_task_that_is_cancelled_ends_and_leaves_no_word_of_success(
    cloud: Any, given: dict[str, Any]
) -> None:
    rds = cloud.client("rds")
    cloud.control("POST", "latency", {"export": 1.0})
    try:
        rds.start_export_task(ExportTaskIdentifier="stopped", **given)
        code, _ = refusal(rds.start_export_task, ExportTaskIdentifier="second", **given)
        assert code == "InvalidExportSourceState"
        assert rds.cancel_export_task(ExportTaskIdentifier="stopped")["Status"] == "CANCELING"
    finally:
        cloud.control("POST", "latency", {"export": 0})
    assert ended(cloud, "stopped")["Status"] == "CANCELED"
    code, _ = refusal(rds.cancel_export_task, ExportTaskIdentifier="stopped")
    assert code == "InvalidExportTaskStateFault"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ExportTaskIdentifier": "two--hyphens"}, "InvalidParameterValue"),
        ({"S3BucketName": "no-such-bucket"}, "InvalidS3BucketFault"),
        ({"IamRoleArn": "arn:aws:iam::123456789012:role/nobody"}, "IamRoleNotFound"),
        ({"KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/none"}, "KMSKeyNotAccessibleFault"),
        ({"SourceArn": "arn:aws:rds:us-east-1:123456789012:snapshot:no"}, "DBSnapshotNotFound"),
        ({"ExportOnly": ["a.b.c.d"]}, "InvalidExportOnly"),
    ],
)
def test_what_cannot_be_is_refused(
    cloud: Any, given: dict[str, Any], changes: dict[str, Any], code: str
) -> None:
    whole = {"ExportTaskIdentifier": "refused", **given, **changes}
    assert refusal(cloud.client("rds").start_export_task, **whole)[0] == code


def test_a_role_that_rds_cannot_assume_is_refused(cloud: Any, given: dict[str, Any]) -> None:
    other = role(cloud, "not-for-exports", "ec2.amazonaws.com")
    whole = {**given, "ExportTaskIdentifier": "refused", "IamRoleArn": other}
    code, _ = refusal(cloud.client("rds").start_export_task, **whole)
    assert code == "IamRoleMissingPermissions"


def test_there_is_no_task_of_another_name(cloud: Any) -> None:
    rds = cloud.client("rds")
    for ask in (rds.describe_export_tasks, rds.cancel_export_task):
        assert refusal(ask, ExportTaskIdentifier="none")[0] == "ExportTaskNotFound"
