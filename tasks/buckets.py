"""S3: the stack's buckets and every setting of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack.bucket import Bucket
from haven.stack.resource import Found, Resource
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, only

ABSENT = (
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ReplicationConfigurationNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
    "ObjectLockConfigurationNotFoundError",
    "NoSuchTagSet",
)
MISSING = ("NoSuchBucket", "404")
PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
NO_LOCATION = "us-east-1"
EMPTIED_AT_MOST = 5


@looks
def observe_bucket(site: Site, _region: str, wanted: Sequence[Resource]) -> Observation:
    """Read the settings of one bucket that its kind of bucket has.

    Two reads are saved by what S3 guarantees: a bucket with a lock or with replication is
    versioned, and versioning of such a bucket cannot be suspended.
    """
    found: dict[str, Found[Resource]] = {}
    for bucket in only(Bucket, wanted):
        s3 = site.client("s3", bucket)
        try:
            found[bucket.address] = Found(_read(s3, bucket), bucket.arn, {"arn": bucket.arn})
        except ClientError as error:
            if not is_code(error, *MISSING):
                raise
    return found


def _read(s3: Any, bucket: Bucket) -> Bucket:
    name = bucket.name
    days, mode = _lock(s3, name) if bucket.lock_days else (0, "")
    replication = _replication(s3, name) if bucket.replication else ()
    return Bucket(
        name=name,
        region=bucket.region,
        policy=_setting(lambda: s3.get_bucket_policy(Bucket=name)["Policy"], ""),
        private=_setting(lambda: s3.get_public_access_block(Bucket=name), {}).get(
            "PublicAccessBlockConfiguration"
        )
        == PRIVATE,
        versioned=bool(days or replication) or (bucket.versioned and _versioned(s3, name)),
        key=_key(s3, name) if bucket.key else "",
        lock_days=days,
        lock_mode=mode,
        lifecycle=_lifecycle(s3, name) if bucket.lifecycle else "",
        replication=replication,
    )


def _setting(read: Callable[[], Any], absent: Any) -> Any:
    try:
        return read()
    except ClientError as error:
        if is_code(error, *ABSENT):
            return absent
        raise


def _versioned(s3: Any, name: str) -> bool:
    return bool(s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled")


def _key(s3: Any, name: str) -> str:
    answer = _setting(lambda: s3.get_bucket_encryption(Bucket=name), {})
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [{}])
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    return str(default.get("KMSMasterKeyID", ""))


def _lock(s3: Any, name: str) -> tuple[int, str]:
    answer = _setting(lambda: s3.get_object_lock_configuration(Bucket=name), {})
    rule = answer.get("ObjectLockConfiguration", {}).get("Rule", {})
    retention = rule.get("DefaultRetention", {})
    return int(retention.get("Days", 0)), str(retention.get("Mode", ""))


def _lifecycle(s3: Any, name: str) -> str:
    answer = _setting(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name), {})
    rules = answer.get("Rules", [])
    return json.dumps(rules, sort_keys=True, default=str) if rules else ""


def _replication(s3: Any, name: str) -> tuple[str, ...]:
    answer = _setting(lambda: s3.get_bucket_replication(Bucket=name), {})
    configuration = answer.get("ReplicationConfiguration")
    if not configuration:
        return ()
    destination = configuration["Rules"][0]["Destination"]
    key = destination.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID", "")
    return configuration["Role"], destination["Bucket"], key


@changes
def apply_bucket(
    site: Site, bucket: Bucket, found: Found[Bucket] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the bucket, then every setting that differs; all of these may be repeated."""
    s3 = site.client("s3", bucket)
    if not found:
        make_bucket(site, bucket)
    attributes = {change.attribute for change in changed} if found else set(SETTERS)
    for attribute, put in SETTERS.items():
        if attribute in attributes and getattr(bucket, attribute):
            put(s3, bucket)
    return Found(bucket, bucket.arn, {"arn": bucket.arn}, site.tags(bucket))


def make_bucket(site: Site, bucket: Bucket) -> None:
    """Make the bucket with its tags; one that this account has already is left as it is.

    Were the tags a second request, a run that ends between the two would leave a bucket that
    nobody can tell from somebody else's.
    """
    s3 = site.client("s3", bucket)
    configuration: dict[str, Any] = {"Tags": site.tag_list(bucket)}
    if bucket.region != NO_LOCATION:
        configuration["LocationConstraint"] = bucket.region
    try:
        s3.create_bucket(
            Bucket=bucket.name,
            ObjectOwnership="BucketOwnerEnforced",
            CreateBucketConfiguration=configuration,
            ObjectLockEnabledForBucket=bool(bucket.lock_days),
        )
    except ClientError as error:
        if not is_code(error, "BucketAlreadyOwnedByYou"):
            raise


def _put_privacy(s3: Any, bucket: Bucket) -> None:
    s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=PRIVATE)


def _put_versioning(s3: Any, bucket: Bucket) -> None:
    if not bucket.lock_days:
        s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})


def _put_key(s3: Any, bucket: Bucket) -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": bucket.key}
    s3.put_bucket_encryption(
        Bucket=bucket.name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        },
    )


def _put_policy(s3: Any, bucket: Bucket) -> None:
    s3.put_bucket_policy(Bucket=bucket.name, Policy=bucket.policy)


def _put_lock(s3: Any, bucket: Bucket) -> None:
    retention = {"Mode": bucket.lock_mode, "Days": bucket.lock_days}
    s3.put_object_lock_configuration(
        Bucket=bucket.name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": retention},
        },
    )


def _put_lifecycle(s3: Any, bucket: Bucket) -> None:
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket.name, LifecycleConfiguration={"Rules": json.loads(bucket.lifecycle)}
    )


def _put_replication(s3: Any, bucket: Bucket) -> None:
    role, destination, key = bucket.replication
    rule = {
        "ID": "recovery-region",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": destination,
            "EncryptionConfiguration": {"ReplicaKmsKeyID": key},
        },
    }
    s3.put_bucket_replication(
        Bucket=bucket.name, ReplicationConfiguration={"Role": role, "Rules": [rule]}
    )


# In the order that S3 wants: versioning before lifecycle and replication, replication last.
SETTERS: Mapping[str, Callable[[Any, Bucket], None]] = {
    "private": _put_privacy,
    "versioned": _put_versioning,
    "key": _put_key,
    "policy": _put_policy,
    "lock_days": _put_lock,
    "lock_mode": _put_lock,
    "lifecycle": _put_lifecycle,
    "replication": _put_replication,
}


@changes
def delete_bucket(site: Site, found: Found[Bucket]) -> None:
    """Empty the bucket, versions included, and delete it; only for a disposable stack.

    What replication was still bringing may come after the bucket was emptied.
    """
    s3 = site.client("s3", found.resource)
    try:
        for _ in range(EMPTIED_AT_MOST):
            _empty(s3, found.resource)
            try:
                s3.delete_bucket(Bucket=found.resource.name)
            except ClientError as error:
                if not is_code(error, "BucketNotEmpty"):
                    raise
            else:
                return
        s3.delete_bucket(Bucket=found.resource.name)
    except ClientError as error:
        if not is_code(error, *MISSING):
            raise


def _empty(s3: Any, bucket: Bucket) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket.name):
        for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(
                Bucket=bucket.name,
                Key=item["Key"],
                VersionId=item["VersionId"],
                **({"BypassGovernanceRetention": True} if bucket.lock_days else {}),
            )
