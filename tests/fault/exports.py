"""What may not be wrong with an export, whenever one looks at it."""

from pathlib import Path
from typing import Any

from haven.export import manifest
from haven.export.keys import MANIFEST, PREFIX
from haven.export.manifest import Export
from tests.fault.inventory import Account


def half_exports(account: Account, _ca_bundle: Path) -> list[str]:
    """Say which objects a manifest names that are not whole; before there is one, none can be."""
    s3 = account.client("s3")
    return [
        wrong
        for bucket in _buckets(s3)
        for key in _keys(s3, bucket)
        if key.endswith(MANIFEST)
        for wrong in _half(s3, bucket, _read(s3, bucket, key))
    ]


def unfinished_exports(account: Account, ca_bundle: Path) -> list[str]:
    """Say what is wrong with the one export that must be there now, and what lies about."""
    s3 = account.client("s3")
    found = [(bucket, key) for bucket in _buckets(s3) for key in _keys(s3, bucket)]
    manifests = [(bucket, key) for bucket, key in found if key.endswith(MANIFEST)]
    if len(manifests) != 1:
        return [f"there are {len(manifests)} manifests"]
    bucket, key = manifests[0]
    wanted = {one.key for table in _read(s3, bucket, key).tables for one in table.objects}
    here = {key for _, key in found if key.endswith(".parquet")}
    uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    return [
        *half_exports(account, ca_bundle),
        *(f"{one} is in no manifest" for one in sorted(here - wanted)),
        *(f"the upload of {one['Key']} was never given up" for one in uploads),
    ]


def _half(s3: Any, bucket: str, export: Export) -> list[str]:
    wrong = []
    for stored in [one for table in export.tables for one in table.objects]:
        body = s3.get_object(Bucket=bucket, Key=stored.key)["Body"].read()
        if manifest.sha256(body) != stored.sha256:
            wrong.append(f"{stored.key} is not what its manifest says")
    return wrong


def _read(s3: Any, bucket: str, key: str) -> Export:
    return manifest.read(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _buckets(s3: Any) -> list[str]:
    return [item["Name"] for item in s3.list_buckets()["Buckets"] if "-backups-1" in item["Name"]]


def _keys(s3: Any, bucket: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]
