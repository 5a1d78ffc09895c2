"""IAM: AWS's managed policies exist and can be attached.

AWS: every account has them (IAM User Guide, managed policies). moto has their texts and leaves
them out unless an environment variable of its process says otherwise.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend


def attach() -> None:
    """Let every account start with the managed policies."""
    IAMBackend._init_aws_policies = _managed_policies  # noqa: SLF001  # moto's own seam


def _managed_policies(backend: Any) -> list[Any]:
    return [
        AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
        for name, data in json.loads(aws_managed_policies_data).items()
    ]
