"""S3 buckets are made with their tags in one request; moto passes over the tags.

AWS (S3 API reference, CreateBucketConfiguration): Tags are applied to the bucket being created.
"""

from __future__ import annotations

from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict
from moto.s3.responses import S3Response

_ROOT = "CreateBucketConfiguration"


def attach() -> None:
    """Tag a new bucket as its creation asks for."""
    answer = S3Response._bucket_response_put  # noqa: SLF001  # the only place that sees a creation

    def made(self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        known = bucket_name in self.backend.buckets
        answered = answer(self, request, bucket_name, querystring)
        tags = {} if known else _tags(self.body)
        if tags:
            self.backend.put_bucket_tagging(bucket_name, tags)
        return answered

    S3Response._bucket_response_put = made  # noqa: SLF001  # as above


def _tags(body: bytes) -> dict[str, str]:
    try:
        document = xmltodict.parse(body) if body else {}
    except ExpatError:
        return {}
    configuration = document.get(_ROOT) or {}
    listed = (configuration.get("Tags") or {}).get("Tag") or []
    items = listed if isinstance(listed, list) else [listed]
    return {item["Key"]: item.get("Value") or "" for item in items}
