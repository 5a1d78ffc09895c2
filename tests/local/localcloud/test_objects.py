"""What S3 does by itself, by the service clock: lifecycle, restores from archives, replication."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import process
from tests.local.localcloud.conftest import Cloud, awaited, new_place

pytestmark = pytest.mark.local

SIX_HOURS = 21600
LARGE = b"x" * 131072


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A local cloud whose clock may be moved by months."""
    data = new_place()
    try:
        with process.start(data) as running:
            yield Cloud(running)
    finally:
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def s3(cloud: Cloud) -> Any:
    return cloud.client("s3")


def days(cloud: Cloud, number: float) -> None:
    for _ in range(round(4 * number)):
        cloud.control("POST", "clock", {"advance": SIX_HOURS})


def bucket(s3: Any, name: str, *rules: dict[str, Any], lock: bool = False) -> str:
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if rules:
        s3.put_bucket_lifecycle_configuration(
            Bucket=name,
            LifecycleConfiguration={
                "Rules": [
                    {"ID": str(n), "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
                    for n, rule in enumerate(rules)
                ]
            },
        )
    return name


def classes(s3: Any, name: str) -> dict[str, str]:
    listed = s3.list_objects_v2(Bucket=name).get("Contents", [])
    return {item["Key"]: item["StorageClass"] for item in listed}


ARCHIVE = {
    "Transitions": [
        {"Days": 30, "StorageClass": "GLACIER"},
        {"Days": 90, "StorageClass": "DEEP_ARCHIVE"},
    ],
    "Expiration": {"Days": 100},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 5},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def test_objects_are_moved_and_expire_and_small_ones_stay_warm(
    cloud: Cloud, s3: Any, name: str
) -> None:
    bucket(s3, name, ARCHIVE)
    s3.put_object(Bucket=name, Key="large", Body=LARGE)
    s3.put_object(Bucket=name, Key="small", Body=b"x")
    s3.create_multipart_upload(Bucket=name, Key="never completed")
    days(cloud, 8.25)
    assert classes(s3, name) == {"large": "STANDARD", "small": "STANDARD"}
    assert s3.list_multipart_uploads(Bucket=name).get("Uploads", []) == []
    days(cloud, 23)
    assert classes(s3, name) == {"large": "GLACIER", "small": "STANDARD"}
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket=name, Key="large")
    days(cloud, 60)
    assert classes(s3, name)["large"] == "DEEP_ARCHIVE"
    days(cloud, 10)
    assert classes(s3, name) == {}
    found = s3.list_object_versions(Bucket=name)
    assert len(found["Versions"]) == len(found["DeleteMarkers"]) == 2
    days(cloud, 6.25)
    assert s3.list_object_versions(Bucket=name).get("Versions", []) == []


def test_object_lock_outlives_a_rule(cloud: Cloud, s3: Any, name: str) -> None:
    bucket(s3, name, {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, lock=True)
    s3.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 400}},
        },
    )
    for body in (b"one", b"two"):
        s3.put_object(Bucket=name, Key="a", Body=body, ChecksumAlgorithm="SHA256")
    days(cloud, 3.25)
    assert len(s3.list_object_versions(Bucket=name)["Versions"]) == 2


@pytest.mark.parametrize(
    ("storage_class", "tier", "hours"),
    [("GLACIER", "Standard", 5), ("GLACIER", "Bulk", 12), ("DEEP_ARCHIVE", "Bulk", 48)],
)
def test_a_restore_takes_its_time_and_ends(
    cloud: Cloud, s3: Any, name: str, storage_class: str, tier: str, hours: int
) -> None:
    bucket(s3, name)
    s3.put_object(Bucket=name, Key="a", Body=LARGE, StorageClass=storage_class)
    request = {"Days": 2, "GlacierJobParameters": {"Tier": tier}}
    s3.restore_object(Bucket=name, Key="a", RestoreRequest=request)
    assert s3.head_object(Bucket=name, Key="a")["Restore"] == 'ongoing-request="true"'
    with pytest.raises(ClientError, match="RestoreAlreadyInProgress"):
        s3.restore_object(Bucket=name, Key="a", RestoreRequest=request)
    cloud.control("POST", "clock", {"advance": 3600})
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket=name, Key="a")
    days(cloud, max(0.25, hours / 24))
    assert 'ongoing-request="false"' in s3.head_object(Bucket=name, Key="a")["Restore"]
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == LARGE
    s3.restore_object(Bucket=name, Key="a", RestoreRequest=request)
    days(cloud, 3)
    assert "Restore" not in s3.head_object(Bucket=name, Key="a")
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket=name, Key="a")


def test_what_is_no_archive_or_not_offered_is_refused(s3: Any, name: str) -> None:
    bucket(s3, name)
    s3.put_object(Bucket=name, Key="warm", Body=b"x")
    s3.put_object(Bucket=name, Key="cold", Body=b"x", StorageClass="DEEP_ARCHIVE")
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.restore_object(Bucket=name, Key="warm", RestoreRequest={"Days": 1})
    expedited = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    with pytest.raises(ClientError, match="Expedited retrieval is not offered"):
        s3.restore_object(Bucket=name, Key="cold", RestoreRequest=expedited)


def replicated(s3: Any, name: str) -> str:
    """Make a bucket and its destination."""
    twin = bucket(s3, f"{name}-twin")
    bucket(s3, name)
    s3.put_bucket_replication(
        Bucket=name,
        ReplicationConfiguration={
            "Role": "arn:aws:iam::123456789012:role/replicate",
            "Rules": [
                {
                    "ID": "all",
                    "Priority": 1,
                    "Status": "Enabled",
                    "Filter": {"Prefix": "kept/"},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {"Bucket": f"arn:aws:s3:::{twin}"},
                }
            ],
        },
    )
    return twin


def test_what_is_written_comes_to_the_twin_with_its_version(s3: Any, name: str) -> None:
    twin = replicated(s3, name)
    sent = {"Metadata": {"a": "b"}, "Tagging": "kind=weekly", "ChecksumAlgorithm": "SHA256"}
    version = s3.put_object(Bucket=name, Key="kept/1", Body=b"x", **sent)["VersionId"]
    s3.put_object(Bucket=name, Key="other", Body=b"x")
    head = awaited(
        lambda: s3.head_object(Bucket=name, Key="kept/1"),
        lambda seen: seen["ReplicationStatus"] == "COMPLETED",
    )
    copy = s3.head_object(Bucket=twin, Key="kept/1", ChecksumMode="ENABLED")
    assert (copy["VersionId"], copy["ReplicationStatus"]) == (version, "REPLICA")
    assert (copy["Metadata"], copy["ETag"]) == (head["Metadata"], head["ETag"])
    assert copy["ChecksumSHA256"]
    assert s3.get_object_tagging(Bucket=twin, Key="kept/1")["TagSet"] == [
        {"Key": "kind", "Value": "weekly"}
    ]
    assert "ReplicationStatus" not in s3.head_object(Bucket=name, Key="other")
    s3.delete_object(Bucket=name, Key="kept/1")
    assert list(classes(s3, twin)) == ["kept/1"]


def test_without_a_destination_it_failed(s3: Any, name: str) -> None:
    s3.delete_bucket(Bucket=replicated(s3, name))
    s3.put_object(Bucket=name, Key="kept/1", Body=b"x")
    awaited(
        lambda: s3.head_object(Bucket=name, Key="kept/1"),
        lambda seen: seen["ReplicationStatus"] == "FAILED",
    )
