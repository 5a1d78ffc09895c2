"""S3: how much lies in a bucket, by storage class, versions that are no longer current included."""

from __future__ import annotations

from collections import Counter

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.retention.cost import Sort
from tasks.buckets import MISSING
from tasks.kinds import looks
from tasks.site import Site

CLASSES = {"GLACIER": Sort.GLACIER, "DEEP_ARCHIVE": Sort.DEEP_ARCHIVE}


@looks
def observe_sizes(site: Site, region: str, bucket: str) -> Counter[Sort]:
    """Return the bytes of a bucket by sort; none where there is no bucket."""
    s3 = site.cloud.client("s3", region)
    sizes: Counter[Sort] = Counter()
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    try:
        for item in (one for page in pages for one in page.get("Versions", ())):
            sizes[CLASSES.get(item.get("StorageClass", ""), Sort.STANDARD)] += item["Size"]
    except ClientError as error:
        if not is_code(error, *MISSING):
            raise
    return sizes
