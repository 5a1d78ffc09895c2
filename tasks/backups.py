"""RDS: what there is to restore from: automated backups, their copies elsewhere, snapshots."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from haven.stack.names import TAG_STACK
from haven.verification.choice import Copy, Window
from haven.waiting import Wait, wait_for
from tasks.kinds import looks
from tasks.site import Site, as_map

AVAILABLE = "available"
# AWS hands WAL over every five minutes (RDS User Guide, "Restoring to a specified time").
HANDED_OVER_WITHIN = 600.0


@looks
def observe_window(site: Site, region: str, resource_id: str) -> Window | None:
    """Return the automated backup of an instance that is kept in a region, if there is one.

    In the region of the instance this is its own, elsewhere a copy.
    """
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_instance_automated_backups").paginate(
        DbiResourceId=resource_id
    )
    for item in (one for page in pages for one in page["DBInstanceAutomatedBackups"]):
        span = item.get("RestoreWindow") or {}
        return Window(
            item.get("DBInstanceAutomatedBackupsArn", ""),
            region,
            span.get("EarliestTime"),
            span.get("LatestTime"),
        )
    return None


@looks
def observe_copies(site: Site, region: str, instance: str) -> list[Copy]:
    """Return the snapshots of an instance, automated and manual; those of other stacks left out."""
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=instance)
    return [
        _copy(item)
        for page in pages
        for item in page["DBSnapshots"]
        if _is_ours(site, item) and item.get("SnapshotCreateTime")
    ]


def _copy(item: dict[str, Any]) -> Copy:
    return Copy(
        item["DBSnapshotIdentifier"],
        item["DBSnapshotArn"],
        item["SnapshotCreateTime"],
        item["Status"] == AVAILABLE,
    )


def _is_ours(site: Site, item: dict[str, Any]) -> bool:
    """Automated snapshots may bear no tags; those that do bear the stack's."""
    return as_map(item.get("TagList")).get(TAG_STACK, site.stack.prefix) == site.stack.prefix


@looks
def wait_restorable(site: Site, region: str, resource_id: str, moment: datetime) -> Window:
    """Wait until an automated backup reaches as far as a moment; AWS archives every 5 minutes."""
    settings = site.cloud.settings
    return wait_for(
        Wait(
            what=f"the backup of {resource_id} in {region} to reach {moment:%H:%M:%S} UTC",
            probe=lambda: (
                observe_window(site, region, resource_id) or Window("", region, None, None)
            ),
            reached=lambda window: window.latest is not None and window.latest >= moment,
            fatal=lambda _: None,
            interval=settings.interval,
            deadline=max(settings.deadline, HANDED_OVER_WITHIN),
            describe=lambda window: f"it reaches {window.latest}",
        )
    )
