"""S3 bucket policies: a statement with a condition applies only where the condition holds.

AWS (IAM User Guide, policy evaluation): a statement whose Condition is not met is ignored. moto
ignores the condition instead, so that a policy which denies requests without TLS denies all.
Requests to the local cloud count as sent over TLS, as they never leave the machine.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def attach() -> None:
    """Evaluate bucket policies without the statements whose conditions are not met."""
    FakeBucket.get_permission = _get_permission


def _get_permission(bucket: Any, action: str, resource: str) -> PermissionResult:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    statements = policy["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    policy["Statement"] = [item for item in statements if _holds(item.get("Condition"))]
    if not policy["Statement"]:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def _holds(condition: dict[str, dict[str, str]] | None) -> bool:
    if not condition:
        return True
    return condition == {"Bool": {"aws:SecureTransport": "true"}}
