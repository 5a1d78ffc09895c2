"""S3: the rules of replication are told as they were put; moto tells some of their parts only."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import ReplicationConfigurationNotFoundError
from moto.s3.responses import S3Response

_DISABLED = {"Status": "Disabled"}


def attach() -> None:
    """Answer GetBucketReplication from what is kept."""
    S3Response.get_bucket_replication = _get_bucket_replication


def _get_bucket_replication(response: Any) -> Any:
    response.data["Action"] = "GetBucketReplication"
    kept = response.backend.get_bucket_replication(response.bucket_name)
    if not kept:
        raise ReplicationConfigurationNotFoundError(bucket_name=response.bucket_name)
    rules = [_shown(rule) for rule in kept["Rule"]]
    told = {"Role": kept["Role"], "Rules": rules}
    return response.serialized(ActionResult({"ReplicationConfiguration": told}))


def _shown(rule: dict[str, Any]) -> dict[str, Any]:
    given = dict(rule)
    chosen = given.get("Filter") or {}
    given["Filter"] = (
        {**chosen} if "Tag" in chosen or "And" in chosen else {"Prefix": chosen.get("Prefix") or ""}
    )
    given["DeleteMarkerReplication"] = given.get("DeleteMarkerReplication") or _DISABLED
    return given
