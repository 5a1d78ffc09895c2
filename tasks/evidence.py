"""Evidence in the stack's evidence bucket: one record a run, none ever written twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from haven import evidence
from haven.aws import Cloud, is_code
from haven.stack import names
from haven.stack.model import Stack
from tasks.kinds import changes

HINT = "evidence/head.json"
MISSING = ("NoSuchKey", "404")
NO_BUCKET = ("NoSuchBucket",)
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


@changes
def append_evidence(cloud: Cloud, stack: Stack, record: Mapping[str, Any]) -> str:
    """Write a record as the next of the chain; return its key.

    Returns an empty string while the bucket does not exist yet. When another run takes the
    number first, the next one is tried.
    """
    s3 = cloud.client("s3", stack.region)
    bucket = names.bucket(stack, "evidence")
    try:
        sequence, previous = _head(s3, stack, bucket)
        sealed = _put_next(s3, bucket, record, sequence, previous)
    except ClientError as error:
        if is_code(error, *NO_BUCKET):
            return ""
        raise
    hint = {"sequence": evidence.sequence_of(sealed.key), "digest": sealed.digest}
    s3.put_object(Bucket=names.bucket(stack, "state"), Key=HINT, Body=json.dumps(hint).encode())
    return sealed.key


def _head(s3: Any, stack: Stack, bucket: str) -> tuple[int, str]:
    """Return number and digest of the last record: the hint's, or of what came after it."""
    sequence, digest = _hint(s3, stack)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=evidence.PREFIX, StartAfter=evidence.key_of(sequence)
    )
    later = [item["Key"] for page in pages for item in page.get("Contents", ())]
    if not later:
        return sequence, digest
    body = s3.get_object(Bucket=bucket, Key=later[-1])["Body"].read()
    return evidence.sequence_of(later[-1]), evidence.digest_of(body)


def _hint(s3: Any, stack: Stack) -> tuple[int, str]:
    try:
        answer = s3.get_object(Bucket=names.bucket(stack, "state"), Key=HINT)
    except ClientError as error:
        if is_code(error, *MISSING):
            return 0, evidence.FIRST
        raise
    hint = json.loads(answer["Body"].read())
    return int(hint["sequence"]), str(hint["digest"])


def _put_next(
    s3: Any, bucket: str, record: Mapping[str, Any], sequence: int, previous: str
) -> evidence.Sealed:
    while True:
        sealed = evidence.seal(record, sequence + 1, previous)
        try:
            s3.put_object(
                Bucket=bucket,
                Key=sealed.key,
                Body=sealed.body,
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if not is_code(error, *TAKEN):
                raise
            body = s3.get_object(Bucket=bucket, Key=sealed.key)["Body"].read()
            if body == sealed.body:  # written by a request whose answer was lost
                return sealed
            sequence, previous = sequence + 1, evidence.digest_of(body)
        else:
            return sealed
