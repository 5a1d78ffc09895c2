"""What RDS remembers apart from instances."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.proxy.listener import Listener

Tags = list[dict[str, str]]


def now() -> dt.datetime:
    """Return the present moment as AWS reports it."""
    return dt.datetime.now(dt.UTC)


@dataclass(slots=True)
class SubnetGroup:
    """A DB subnet group."""

    name: str
    description: str
    vpc: str
    subnets: list[dict[str, str]]
    arn: str
    tags: Tags
    # Of a local cloud that was killed: its subnets are not there any more.
    lost: bool = False

    @property
    def zones(self) -> list[str]:
        """The availability zones of its subnets, each once, in order."""
        return sorted({subnet["zone"] for subnet in self.subnets})


@dataclass(slots=True)
class ParameterGroup:
    """A DB parameter group: only what was set by a user, with how it applies."""

    name: str
    family: str
    description: str
    arn: str
    tags: Tags
    values: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Target:
    """The one instance behind a proxy."""

    identifier: str
    resource_id: str
    state: str = "REGISTERING"
    reason: str | None = None
    description: str | None = None


@dataclass(slots=True)
class Proxy:
    """A DB proxy with its default target group."""

    name: str
    arn: str
    group_arn: str
    settings: dict[str, Any]
    tags: Tags
    created: dt.datetime
    updated: dt.datetime
    status: str = "creating"
    pool: dict[str, Any] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    group_tags: Tags = field(default_factory=list)
    listener: Listener | None = None


@dataclass(slots=True)
class Subscription:
    """An event subscription."""

    name: str
    arn: str
    topic: str
    source_type: str | None
    sources: list[str]
    categories: list[str]
    enabled: bool
    tags: Tags
    created: dt.datetime
    status: str = "active"


@dataclass(slots=True)
class BackupReplication:
    """The replication of an instance's automated backups into this region."""

    arn: str
    source_arn: str
    source_region: str
    identifier: str
    resource_id: str
    retention: int
    key: str | None
    created: dt.datetime
    snapshot: dict[str, Any]
    status: str = "pending"
    tags: Tags = field(default_factory=list)


@dataclass(slots=True)
class Snapshot:
    """A manual snapshot: what its instance was then, and where its files are."""

    name: str
    arn: str
    instance: str
    resource_id: str
    instance_created: dt.datetime
    settings: dict[str, Any]
    directory: Path
    tags: Tags
    created: dt.datetime
    status: str = "creating"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a source."""

    source: str
    source_type: str
    source_arn: str
    message: str
    categories: tuple[str, ...]
    date: dt.datetime
