"""A DB instance: what the API knows of it, and the cluster that serves it."""

from __future__ import annotations

import datetime as dt
import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from localcloud.cluster import Cluster
from localcloud.rds.records import Tags, now

_ID_LETTERS = string.ascii_uppercase + string.digits
# The statuses in which the server runs and answers.
SERVING = frozenset(
    {
        "available",
        "backing-up",
        "modifying",
        "storage-optimization",
        "resetting-master-credentials",
        "configuring-enhanced-monitoring",
        "configuring-log-exports",
        "configuring-iam-database-auth",
    }
)


def new_resource_id() -> str:
    """Return an identifier no other instance ever had."""
    return "db-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(26))


@dataclass(frozen=True, slots=True)
class Source:
    """The instance a replica follows."""

    region: str
    identifier: str
    resource_id: str
    arn: str


@dataclass(slots=True)
class Mirror:
    """The hidden standby of an instance: its cluster once commits wait for it."""

    cluster: Cluster | None = None
    busy: bool = False
    made: int = 0
    urgent: bool = False
    # Moments of the monotonic clock.
    wanted: float | None = None
    not_before: float = 0.0
    seen: float = 0.0


@dataclass(slots=True)
class Instance:
    """One DB instance. ``settings`` holds attributes under AWS's names."""

    region: str
    identifier: str
    arn: str
    resource_id: str
    settings: dict[str, Any]
    parameter_group: str
    tags: Tags
    status: str = "creating"
    created: dt.datetime = field(default_factory=now)
    parameter_status: str = "in-sync"
    pending: dict[str, Any] = field(default_factory=dict)
    source: Source | None = None
    replication_state: str = "replicating"
    cluster: Cluster | None = None
    endpoint_known: bool = False
    applied: dict[str, str] = field(default_factory=dict)
    gone: bool = False
    standby: Mirror = field(default_factory=Mirror)
    remembered: str = ""
    joining: bool = False

    @property
    def serving(self) -> bool:
        """Tell whether clients can be expected to reach it."""
        return self.status in SERVING

    def need_cluster(self) -> Cluster:
        """Return the cluster; an instance that is still being made has none yet."""
        if self.cluster is None:
            raise RuntimeError(f"{self.identifier} has no cluster.")
        return self.cluster
