"""Replication: what is written to a bucket is copied to its destination, with its version and lock.

S3 User Guide, "Replicating objects": only what is written after the rule was put; not what is itself a
replica; what is encrypted with a key of KMS only where the rule says so, and then with a key of the
destination. The status of the source is PENDING, then COMPLETED or FAILED; a copy's is REPLICA.
"""

from __future__ import annotations

from typing import Any

from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeKey

from localcloud.runtime import Runtime

# Metadata, tags and checksums are set right after the object was put, by the same request.
_SETTLED_S = 0.05
PENDING, COMPLETED, FAILED, REPLICA = "PENDING", "COMPLETED", "FAILED", "REPLICA"


def attach() -> None:
    """Tell the status of replication with an object."""
    plain = FakeKey.response_dict.fget

    def response_dict(key: Any) -> dict[str, Any]:
        status = getattr(key, "replication", "")
        told: dict[str, Any] = plain(key)
        return told | ({"x-amz-replication-status": status} if status else {})

    FakeKey.response_dict = property(response_dict)


def written(runtime: Runtime, backend: Any, bucket: Any, key: Any) -> None:
    """Begin to copy an object that was written, where a rule of its bucket says so."""
    rule = _rule(backend, bucket, key)
    if rule is None:
        return
    key.replication = PENDING

    def done() -> None:
        key.replication = _copied(backend, key, rule)

    def failed(_: BaseException) -> None:
        key.replication = FAILED

    runtime.lifecycle.begin("replication", lambda: None, done, failed, extra=_SETTLED_S)


def _rule(backend: Any, bucket: Any, key: Any) -> dict[str, Any] | None:
    kept = backend.get_bucket_replication(bucket.name)
    if not kept or not bucket.is_versioned:
        return None
    rules = kept["Rule"] if isinstance(kept["Rule"], list) else [kept["Rule"]]
    fitting = [
        rule
        for rule in rules
        if rule.get("Status", "Enabled") == "Enabled"
        and key.name.startswith(
            (rule.get("Filter") or {}).get("Prefix") or rule.get("Prefix") or ""
        )
        and (key.encryption != "aws:kms" or _takes_encrypted(rule))
    ]
    return max(fitting, key=lambda rule: int(rule.get("Priority") or 0), default=None)


def _takes_encrypted(rule: dict[str, Any]) -> bool:
    chosen = (rule.get("SourceSelectionCriteria") or {}).get("SseKmsEncryptedObjects") or {}
    return bool(chosen.get("Status") == "Enabled")


def _copied(backend: Any, key: Any, rule: dict[str, Any]) -> str:
    destination = rule["Destination"]
    try:
        bucket = backend.get_bucket(str(destination["Bucket"]).rsplit(":", 1)[-1])
    except MissingBucket:
        return FAILED
    if not bucket.is_versioned or getattr(key, "disposed", False):
        return FAILED
    copy = _copy_of(key, bucket, destination)
    bucket.keys.setlist(key.name, [*(bucket.keys.getlist(key.name) or ()), copy])
    backend.tagger.copy_tags(key.arn, copy.arn)
    return COMPLETED


def _copy_of(key: Any, bucket: Any, destination: dict[str, Any]) -> Any:
    own_key = (destination.get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID")
    copy = FakeKey(
        name=key.name,
        bucket_name=bucket.name,
        value=key.value,
        account_id=key.account_id,
        region_name=bucket.region_name,
        storage=destination.get("StorageClass") or key.storage_class,
        etag=key._etag,  # noqa: SLF001  # of parts, it cannot be told from the content
        is_versioned=True,
        version_id=key.version_id,
        multipart=key.multipart,
        encryption=key.encryption,
        kms_key_id=own_key or key.kms_key_id,
        bucket_key_enabled=key.bucket_key_enabled,
        lock_mode=key.lock_mode,
        lock_legal_status=key.lock_legal_status,
        lock_until=key.lock_until,
        checksum_value=key.checksum_value,
        checksum_type=key.checksum_type,
        checksum_parts=key.checksum_parts,
    )
    copy.checksum_algorithm = key.checksum_algorithm
    copy.set_metadata(key.metadata)
    copy.last_modified = key.last_modified
    copy.replication = REPLICA
    return copy
