"""S3: objects in an archive, and asking for copies of them."""

from __future__ import annotations

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.retention.archive import ARCHIVES, Archived, State, Tier, read_state
from tasks.kinds import changes, looks
from tasks.site import Site


@looks
def observe_archived(site: Site, region: str, bucket: str, prefix: str) -> list[Archived]:
    """Return the objects under a prefix, and where each is."""
    s3 = site.cloud.client("s3", region)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = []
    for item in (one for page in pages for one in page.get("Contents", ())):
        storage_class, state, until = item.get("StorageClass", "STANDARD"), State.WARM, None
        if storage_class in ARCHIVES:
            head = s3.head_object(Bucket=bucket, Key=item["Key"])
            state, until = read_state(storage_class, head.get("Restore", ""))
        found.append(Archived(item["Key"], item["Size"], storage_class, state, until))
    return found


@changes
def ask_back(site: Site, region: str, bucket: str, one: Archived, days: int, tier: Tier) -> None:
    """Ask for a copy of an object out of the archive, for so many days; one on its way is left."""
    s3 = site.cloud.client("s3", region)
    request = {"Days": days, "GlacierJobParameters": {"Tier": str(tier)}}
    try:
        s3.restore_object(Bucket=bucket, Key=one.key, RestoreRequest=request)
    except ClientError as error:
        if not is_code(error, "RestoreAlreadyInProgress", "ObjectAlreadyInActiveTierError"):
            raise
