"""Evidence in the stack's evidence bucket: one record a run, none ever written twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError

from haven import evidence
from haven.aws import Cloud, is_code
from haven.stack import names
from haven.stack.model import Stack
from tasks.kinds import changes, looks

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
        head = _head(s3, stack, bucket)
        sealed = _put_next(s3, stack, record, head.sequence, head.digest)
    except ClientError as error:
        if is_code(error, *NO_BUCKET):
            return ""
        raise
    hint = asdict(evidence.followed(head, sealed))
    s3.put_object(Bucket=names.bucket(stack, "state"), Key=HINT, Body=json.dumps(hint).encode())
    return sealed.key


def put_once(s3: Any, bucket: str, key: str, body: bytes) -> None:
    """Write an object that nobody may overwrite; what an unanswered request wrote is left."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if not is_code(error, *TAKEN):
            raise
        if s3.get_object(Bucket=bucket, Key=key)["Body"].read() != body:
            raise


@looks
def last_runs(cloud: Cloud, stack: Stack) -> dict[str, evidence.LastRun]:
    """Return how each operation ended the last time, by its name; nothing before the first."""
    s3 = cloud.client("s3", stack.region)
    try:
        return dict(_head(s3, stack, names.bucket(stack, "evidence")).last)
    except ClientError as error:
        if is_code(error, *NO_BUCKET):
            return {}
        raise


def _head(s3: Any, stack: Stack, bucket: str) -> evidence.Head:
    """Return the end of the chain: the hint's, and what came after it."""
    head = _hint(s3, stack)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket,
        Prefix=_prefix(stack),
        StartAfter=evidence.key_of(head.sequence, _prefix(stack)),
    )
    for key in [item["Key"] for page in pages for item in page.get("Contents", ())]:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        head = evidence.followed(head, evidence.Sealed(key, body, evidence.digest_of(body)))
    return head


def _prefix(stack: Stack) -> str:
    return evidence.RECOVERY_PREFIX if stack.layout.swapped else evidence.PREFIX


def _hint(s3: Any, stack: Stack) -> evidence.Head:
    try:
        answer = s3.get_object(Bucket=names.bucket(stack, "state"), Key=HINT)
    except ClientError as error:
        if is_code(error, *MISSING):
            return evidence.Head()
        raise
    hint = json.loads(answer["Body"].read())
    last = {name: evidence.LastRun(**run) for name, run in hint.get("last", {}).items()}
    return evidence.Head(int(hint["sequence"]), str(hint["digest"]), last)


def _put_next(
    s3: Any, stack: Stack, record: Mapping[str, Any], sequence: int, previous: str
) -> evidence.Sealed:
    bucket = names.bucket(stack, "evidence")
    while True:
        sealed = evidence.seal(record, sequence + 1, previous, _prefix(stack))
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
