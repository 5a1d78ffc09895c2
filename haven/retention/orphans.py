"""What nobody needs any more, told by what is certainly not there: silence proves nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from haven.stack import names
from haven.stack.model import Stack


@dataclass(frozen=True, slots=True)
class KeptBackup:
    """Automated backups of an instance that may be gone, or copies of them in another region.

    ``latest`` is the newest moment that they can restore, None if there is none.
    """

    arn: str
    instance: str
    resource_id: str
    region: str
    source_region: str
    latest: datetime | None
    tags: Mapping[str, str]

    @property
    def address(self) -> str:
        """What plans call it."""
        return f"kept-backup/{self.region}/{self.instance}/{self.resource_id}"


def why_keep_backup(
    stack: Stack, found: KeptBackup, alive: Collection[str] | None, now: datetime
) -> str:
    """Say why automated backups stay; empty where they are orphans.

    ``alive`` are the resource ids of the source region's instances, None where it did not answer:
    a region that is away looks just as one where everything is gone, and its backups are what is
    left then.
    """
    days = stack.backups.retention_days
    if alive is None:
        return f"{found.source_region} did not answer: whether its instance is gone is not known"
    reasons = (
        (found.resource_id in alive, "its instance is there"),
        (
            found.tags.get(names.TAG_STACK) != stack.prefix,
            "it does not bear the tag of this stack",
        ),
        (
            found.latest is not None and now - found.latest <= timedelta(days=days),
            f"it reaches into the last {days} days",
        ),
    )
    return next((reason for applies, reason in reasons if applies), "")


@dataclass(frozen=True, slots=True)
class Group:
    """A parameter group, its tags, and which instances use it."""

    name: str
    region: str
    arn: str
    tags: Mapping[str, str]
    users: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What plans call it."""
        return f"parameter-group/{self.region}/{self.name}"


def why_keep_group(stack: Stack, found: Group, wanted: Collection[str]) -> str:
    """Say why a parameter group stays; ``wanted`` are the names of those of the stack file."""
    reasons = (
        (bool(found.users), f"{', '.join(found.users)} use it"),
        (found.name in wanted, "the stack file wants it"),
        (
            found.tags.get(names.TAG_STACK) != stack.prefix,
            "it does not bear the tag of this stack",
        ),
    )
    return next((reason for applies, reason in reasons if applies), "")
