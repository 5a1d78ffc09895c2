"""The ledger of verifications, and manifests, as they lie in the evidence bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Failed
from haven.migrations.catalogue import Catalogue
from haven.stack import names
from haven.verification import history, manifest
from haven.verification.choice import Kind
from haven.verification.history import Verification
from haven.verification.manifest import Manifest, Stored
from haven.verification.verdict import Verdict
from tasks.evidence import MISSING, NO_BUCKET, put_once
from tasks.kinds import changes, looks
from tasks.manifests import Taken
from tasks.site import Site


@looks
def last_verification(site: Site) -> Verification | None:
    """Return the newest entry of the ledger; nothing before the first."""
    newest = max(stored_keys(site, history.PREFIX), default=None)
    if newest is None:
        return None
    return Verification.model_validate_json(read_evidence(site, newest))


@looks
def verified_snapshots(site: Site) -> dict[str, bool]:
    """Return of each snapshot that was verified, by its ARN, whether the last time it was good.

    A verification that knew nothing of the content then changes nothing.
    """
    found: dict[str, bool] = {}
    for key in stored_keys(site, history.PREFIX):
        if f"-{Kind.SNAPSHOT}-" in key:
            entry = Verification.model_validate_json(read_evidence(site, key))
            if entry.verdict is not Verdict.CONTENT_UNKNOWN:
                found[entry.backup] = entry.verdict is Verdict.VERIFIED
    return found


@looks
def verified_snapshot(site: Site) -> Verification | None:
    """Return the newest entry of a snapshot that was found good, if there is one."""
    ending = f"-{Kind.SNAPSHOT}-{Verdict.VERIFIED}.json"
    newest = max(
        (key for key in stored_keys(site, history.PREFIX) if key.endswith(ending)), default=None
    )
    return Verification.model_validate_json(read_evidence(site, newest)) if newest else None


@changes
def add_verification(site: Site, found: Verification) -> str:
    """Add an entry to the ledger; return its key."""
    s3, bucket = evidence_bucket(site)
    put_once(s3, bucket, found.key, found.model_dump_json(indent=1).encode())
    return found.key


@looks
def manifest_before(site: Site, moment: datetime) -> Taken | None:
    """Return the newest manifest that was taken before a moment.

    A folder without its document belongs to a run that was cut off, and is passed over.
    """
    for folder in manifest.newest_first(_folders(site, manifest.PREFIX), moment):
        key = f"{folder}{manifest.NAME}"
        try:
            body = read_evidence(site, key)
        except ClientError as error:
            if not is_code(error, *MISSING):
                raise
        else:
            stored = Stored(key=key, sha256=manifest.sha256(body), size=len(body))
            return Taken(manifest.read(body), stored)
    return None


@looks
def read_known_catalogue(site: Site, wanted: Manifest) -> Catalogue:
    """Return the catalogue of a manifest. Raises ``Failed`` when it is not the one it names."""
    body = read_evidence(site, wanted.catalogue.key)
    if manifest.sha256(body) != wanted.catalogue.sha256:
        raise Failed(
            f"{wanted.catalogue.key} is not what it was when its manifest was taken.",
            left="Nothing was proven.",
            cure="Look who may write into the evidence bucket, and verify the latest backup, which "
            "takes a new manifest.",
        )
    return manifest.read_catalogue(body)


def stored_keys(site: Site, prefix: str) -> Iterator[str]:
    """Yield the keys under a prefix of the evidence bucket, in their order; none without one."""
    s3, bucket = evidence_bucket(site)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        for page in pages:
            yield from (item["Key"] for item in page.get("Contents", ()))
    except ClientError as error:
        if not is_code(error, *NO_BUCKET):
            raise


def _folders(site: Site, prefix: str) -> Iterator[str]:
    s3, bucket = evidence_bucket(site)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    for page in pages:
        yield from (item["Prefix"] for item in page.get("CommonPrefixes", ()))


def read_evidence(site: Site, key: str) -> bytes:
    """Return an object of the evidence bucket."""
    s3, bucket = evidence_bucket(site)
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def evidence_bucket(site: Site) -> tuple[Any, str]:
    """Return a client in the home region, and the name of the evidence bucket."""
    stack = site.stack
    return site.cloud.client("s3", stack.region), names.bucket(stack, "evidence")
