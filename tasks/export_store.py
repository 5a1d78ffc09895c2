"""An export in S3: records of finished tables, their objects, and the manifest that comes last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Failed, Refused
from haven.export import keys, manifest
from haven.export.manifest import Export, ExportedTable
from haven.stack import names
from tasks.evidence import MISSING, NO_BUCKET, TAKEN
from tasks.kinds import changes, looks
from tasks.multipart import Target, abandoned, give_up
from tasks.site import Site

KMS = "aws:kms"


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of one export in a bucket."""

    target: Target
    place: str

    @property
    def address(self) -> str:
        """What it is called in messages."""
        return f"s3://{self.target.bucket}/{self.place}"


@looks
def open_store(site: Site, name: str, variant: str) -> Store:
    """Return where an export goes. Raises ``Refused`` for a bucket that is not encrypted by a key."""
    stack = site.stack
    s3, bucket = site.cloud.client("s3", stack.region), names.bucket(stack, "backups")
    try:
        answer = s3.get_bucket_encryption(Bucket=bucket, ExpectedBucketOwner=stack.account)
    except ClientError as error:
        if not is_code(error, *NO_BUCKET, "ServerSideEncryptionConfigurationNotFoundError"):
            raise
        answer = {"ServerSideEncryptionConfiguration": {"Rules": []}}
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    found = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    used = [one["KMSMasterKeyID"] for one in found if one.get("SSEAlgorithm") == KMS]
    if not used:
        raise Refused(
            f"The bucket {bucket} is not there, or is not encrypted with the stack's key.",
            left="Nothing was exported.",
            cure="Run provision, which makes and mends it.",
        )
    return Store(Target(s3, bucket, stack.account, used[0]), keys.folder(name, variant))


@looks
def read_manifest(store: Store) -> Export | None:
    """Return the manifest of an export, if it is finished."""
    try:
        body = get(store, keys.manifest(store.place))
    except ClientError as error:
        if is_code(error, *MISSING):
            return None
        raise
    try:
        return manifest.read(body)
    except ValueError:
        raise Failed(
            f"{store.address}{keys.MANIFEST} is no manifest that this version can read.",
            left="It was not touched.",
            cure="Use the version of Haven that wrote it, which its entry tool_version names.",
        ) from None


@changes
def put_manifest(store: Store, export: Export) -> str:
    """Write the manifest of an export: from now on it is one. Return its SHA-256."""
    body = manifest.body_of(export)
    _put(store, keys.manifest(store.place), body)
    return manifest.sha256(body)


@looks
def read_records(store: Store) -> dict[str, ExportedTable]:
    """Return the records of finished tables by the tables' names."""
    found = [
        ExportedTable.model_validate_json(get(store, key))
        for key in sizes(store, keys.records(store.place))
    ]
    return {one.identity: one for one in found}


def put_record(store: Store, table: ExportedTable) -> None:
    """Write down that a table is finished."""
    _put(store, keys.record(store.place, table.identity), manifest.body_of(table))


def sizes(store: Store, prefix: str) -> dict[str, int]:
    """Return the bytes of every object under a prefix, by key."""
    pages = store.target.s3.get_paginator("list_objects_v2").paginate(
        **store.target.place, Prefix=prefix
    )
    return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", ())}


@changes
def clear(store: Store, kept: Sequence[ExportedTable]) -> int:
    """Remove what killed runs left of an export without a manifest; return how many objects.

    Whatever no record of a table that is kept names goes: records first, then objects.
    """
    for key, upload in abandoned(store.target, store.place):
        give_up(store.target, key, upload)
    wanted = {one.key for table in kept for one in table.objects}
    wanted |= {keys.record(store.place, table.identity) for table in kept}
    left = [*_others(store, keys.records(store.place), wanted)]
    left += _others(store, keys.data(store.place), wanted)
    for key in left:
        store.target.s3.delete_object(**store.target.place, Key=key)
    return len(left)


def _others(store: Store, prefix: str, wanted: set[str]) -> Iterator[str]:
    return (key for key in sizes(store, prefix) if key not in wanted)


def get(store: Store, key: str) -> bytes:
    """Return the bytes of a small object."""
    body: bytes = store.target.s3.get_object(**store.target.place, Key=key)["Body"].read()
    return body


def _put(store: Store, key: str, body: bytes) -> None:
    """Write an object that nobody may overwrite; what an unanswered request wrote is left."""
    try:
        store.target.s3.put_object(
            **store.target.place,
            Key=key,
            Body=body,
            ContentType="application/json",
            ChecksumAlgorithm="SHA256",
            ServerSideEncryption=KMS,
            SSEKMSKeyId=store.target.kms_key,
            IfNoneMatch="*",
        )
    except ClientError as error:
        if not is_code(error, *TAKEN):
            raise
        if get(store, key) != body:
            raise
