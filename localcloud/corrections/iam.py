"""IAM: AWS's managed policies exist and can be attached; a trust policy is JSON.

AWS: every account has them (IAM User Guide, managed policies). moto has their texts and leaves
them out unless an environment variable of its process says otherwise.
"""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.models import AWSManagedPolicy, IAMBackend

PARTITION = "aws"


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
    """Return an account's own copies; moto would read a megabyte of text for each.

    moto also makes a backend for every other partition as soon as it asks whose a key is. The
    account is in none of those.
    """
    if backend.region_name != PARTITION:
        return []
    return [copy.copy(policy) for policy in _read(backend.account_id)]


@functools.cache
def _read(account: str) -> list[Any]:
    return [
        AWSManagedPolicy.from_data(name, account, PARTITION, data)
        for name, data in json.loads(aws_managed_policies_data).items()
    ]
