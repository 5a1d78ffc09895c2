"""IAM: AWS's managed policies exist and can be attached; a trust policy is JSON.

AWS: every account has them (IAM User Guide, managed policies). moto has their texts and leaves
them out unless an environment variable of its process says otherwise.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.models import AWSManagedPolicy, IAMBackend


def attach() -> None:
    """Let every account start with the managed policies, and check those of trust."""
    IAMBackend._init_aws_policies = _managed_policies  # noqa: SLF001  # moto's own seam
    made = IAMBackend.create_role

    def create_role(
        self: Any, role_name: str, assume_role_policy_document: str, *args: Any, **named: Any
    ) -> Any:
        _check_trust(assume_role_policy_document)
        return made(self, role_name, assume_role_policy_document, *args, **named)

    IAMBackend.create_role = create_role


def _check_trust(policy: str) -> None:
    try:
        parsed = json.loads(policy)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise MalformedPolicyDocument("This policy contains invalid Json")


def _managed_policies(backend: Any) -> list[Any]:
    return [
        AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
        for name, data in json.loads(aws_managed_policies_data).items()
    ]
