"""What RDS remembers apart from instances."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.archive import Store
    from localcloud.kept import Kept
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
class AutomatedBackup:
    """The automated backups of an instance: its own, or those replicated into this region.

    ``settings`` and ``instance_tags`` are the instance's, as long as it is there.
    """

    arn: str
    region: str
    instance_arn: str
    identifier: str
    resource_id: str
    instance_created: dt.datetime
    settings: dict[str, Any]
    instance_tags: Tags
    store: Store
    key: str | None
    # Of a replicated one; otherwise the settings say.
    retention: int | None = None
    status: str = "creating"
    tags: Tags = field(default_factory=list)
    # Moments of the service clock's seconds: when WAL, when a base may be due.
    wal_due: float = 0.0
    base_due: float = 0.0
    busy: bool = False

    @property
    def days(self) -> int:
        """How long backups are kept."""
        return int(
            self.settings["BackupRetentionPeriod"] if self.retention is None else self.retention
        )


@dataclass(slots=True)
class Snapshot:
    """A snapshot: what its instance was then, and where its files are."""

    name: str
    arn: str
    instance: str
    resource_id: str
    instance_created: dt.datetime
    settings: dict[str, Any]
    copy: Kept
    tags: Tags
    created: dt.datetime
    kind: str = "manual"
    status: str = "creating"
    # Of a copy: the ARN of what it was copied from, and when that was made.
    source: str | None = None
    original: dt.datetime | None = None
    # The accounts that may restore it; "all" is everybody.
    shared: list[str] = field(default_factory=list)
    # On the monotonic clock, and in seconds: how far it is.
    began: float = field(default_factory=time.monotonic)
    lasts: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a source."""

    source: str
    source_type: str
    source_arn: str
    message: str
    categories: tuple[str, ...]
    date: dt.datetime
