"""S3 buckets: backups, evidence and state, each with a twin in the recovery region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.plan import Cost
from haven.stack.resource import Resource, attribute, same_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket(Resource):
    """A bucket. Empty ``key``, ``lifecycle`` or ``replication`` and 0 ``lock_days`` mean none.

    ``replication`` is 'role ARN, destination bucket ARN, destination key ARN'.
    """

    kind: ClassVar[str] = "bucket"
    policy: str = attribute(same=same_json)
    private: bool = attribute(default=True)
    versioned: bool = attribute(default=False)
    key: str = attribute(default="")
    lock_days: int = attribute(default=0, cost=Cost.NOTHING)
    lock_mode: str = attribute(default="")
    lifecycle: str = attribute(default="", same=same_json)
    replication: tuple[str, ...] = attribute(default=())

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:aws:s3:::{self.name}"
