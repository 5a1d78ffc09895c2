"""S3: versioning that cannot be suspended, policies that can be read, replication's needs."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from moto.s3.exceptions import InvalidBucketState, InvalidRequest, MissingBucket, S3ClientError
from moto.s3.models import S3Backend, s3_backends

from localcloud.corrections import s3_suspended, urls
from localcloud.objects import replication, restores
from localcloud.runtime import Runtime

_NEEDED = ("Effect", "Principal")
_SSE_S3 = {
    "Rule": {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": "false",
    }
}


def _malformed(message: str) -> S3ClientError:
    return S3ClientError("MalformedPolicy", message)


def _check_policy(policy: bytes | str) -> None:
    try:
        parsed = json.loads(policy)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    statements = parsed.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    for statement in listed:
        if not isinstance(statement, dict):
            raise _malformed("Missing required field Statement")
        missing = [
            name for name in _NEEDED if name not in statement and f"Not{name}" not in statement
        ]
        if missing or statement["Effect"] not in {"Allow", "Deny"}:
            raise _malformed(f"Missing required field {(missing or ['Effect'])[0]}")
        for name in ("Action", "Resource"):
            if name not in statement and f"Not{name}" not in statement:
                raise _malformed(f"Missing required field {name}")


class Buckets(S3Backend):  # type: ignore[misc]  # moto has no types
    """moto's buckets, with the rules of AWS where moto's differ."""

    @property
    def _url_module(self) -> Any:
        return urls.of("s3")

    def put_bucket_versioning(self, bucket_name: str, status: str) -> None:
        """Versioning stays while Object Lock or replication needs it."""
        bucket = self.get_bucket(bucket_name)
        if status != "Enabled" and bucket.object_lock_enabled:
            raise InvalidBucketState(
                "An Object Lock configuration is present on this bucket, so the versioning state "
                "cannot be changed."
            )
        if status != "Enabled" and self.get_bucket_replication(bucket_name):
            raise InvalidBucketState(
                "A replication configuration is present on this bucket, so you cannot change the "
                "versioning state. To change the versioning state, first delete the replication "
                "configuration."
            )
        super().put_bucket_versioning(bucket_name, status)

    runtime: Runtime

    def put_object(self, bucket_name: str, key_name: str, *args: Any, **named: Any) -> Any:
        """Keep the older versions where versioning is suspended; replicate where a rule says so."""
        bucket = self.get_bucket(bucket_name)
        if bucket.versioning_status == "Suspended":
            with s3_suspended.kept(bucket, key_name):
                return super().put_object(bucket_name, key_name, *args, **named)
        key = super().put_object(bucket_name, key_name, *args, **named)
        replication.written(self.runtime, self, bucket, key)
        return key

    def restore_object(
        self, bucket_name: str, key_name: str, days: str | None, _type: str | None
    ) -> bool:
        """A copy out of an archive takes its time."""
        key = self.get_object(bucket_name, key_name)
        return restores.restore(key, int(days or 1), self.runtime.clock)

    def create_multipart_upload(self, *args: Any, **named: Any) -> Any:
        """Note when it began: what is not completed is aborted after some days."""
        upload = super().create_multipart_upload(*args, **named)
        upload.begun = dt.datetime.now(dt.UTC)
        return upload

    def delete_object(
        self, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
    ) -> Any:
        """Take one version where versioning is suspended, not all of them."""
        bucket = self.get_bucket(bucket_name)
        if bucket.versioning_status == "Suspended":
            return True, s3_suspended.delete(bucket, key_name, version_id)
        return super().delete_object(bucket_name, key_name, version_id, bypass)

    def put_bucket_policy(self, bucket_name: str, policy: bytes) -> None:
        """Refuse what is no policy, before it stands in the way of every later request."""
        self.get_bucket(bucket_name)
        _check_policy(policy)
        super().put_bucket_policy(bucket_name, policy)

    def get_bucket_encryption(self, bucket_name: str) -> Any:
        """A bucket that was told nothing encrypts with keys of S3."""
        return super().get_bucket_encryption(bucket_name) or _SSE_S3

    def put_bucket_replication(self, bucket_name: str, replication: dict[str, Any]) -> None:
        """Both ends exist and keep versions."""
        if self.get_bucket(bucket_name).versioning_status != "Enabled":
            raise InvalidRequest(
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
            )
        rules = (
            replication["Rule"] if isinstance(replication["Rule"], list) else [replication["Rule"]]
        )
        for rule in rules:
            name = str(rule["Destination"]["Bucket"]).rsplit(":", 1)[-1]
            try:
                destination = self.get_bucket(name)
            except MissingBucket as error:
                raise InvalidRequest("Destination bucket must exist.") from error
            if destination.versioning_status != "Enabled":
                raise InvalidRequest("Destination bucket must have versioning enabled.")
        super().put_bucket_replication(bucket_name, replication)

    def put_object_lock_configuration(
        self,
        bucket_name: str,
        lock_enabled: bool,
        mode: str | None = None,
        days: int | None = None,
        years: int | None = None,
    ) -> None:
        """A bucket that keeps versions may be locked, and its retention changed, at any time."""
        bucket = self.get_bucket(bucket_name)
        if not bucket.is_versioned:
            raise InvalidBucketState(
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
            )
        bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
        bucket.default_lock_mode = mode
        bucket.default_lock_days = days
        bucket.default_lock_years = years

    def get_object_lock_configuration(self, bucket_name: str) -> Any:
        """Retention is told in days or in years, whichever was given."""
        enabled, mode, days, years = super().get_object_lock_configuration(bucket_name)
        return enabled, mode, days or None, years or None


def attach(runtime: Runtime) -> None:
    """Make moto use the corrected backend."""
    s3_backends.backend = type("AttachedBuckets", (Buckets,), {"runtime": runtime})
    restores.attach(runtime.clock)
    replication.attach()
