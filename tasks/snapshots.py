"""RDS: manual snapshots of an instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.migrations.snapshot import Taken
from haven.stack import names
from haven.waiting import Wait, wait_for
from tasks.instance_waits import after_backup
from tasks.kinds import changes, looks
from tasks.site import Site, as_list, as_map

AVAILABLE = "available"


@looks
def observe_snapshots(site: Site, region: str, instance: str) -> dict[str, Taken]:
    """Return the manual snapshots of an instance by their names."""
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_snapshots").paginate(
        DBInstanceIdentifier=instance, SnapshotType="manual"
    )
    try:
        items = [item for page in pages for item in page["DBSnapshots"]]
    except rds.exceptions.DBSnapshotNotFoundFault:
        return {}
    return {item["DBSnapshotIdentifier"]: _read(item) for item in items}


@changes
def make_snapshot(
    site: Site, region: str, instance: str, name: str, tags: Mapping[str, str]
) -> None:
    """Make a snapshot unless it is there, and wait until it is available."""
    rds = site.cloud.client("rds", region)
    try:
        after_backup(
            site,
            region,
            instance,
            lambda: rds.create_db_snapshot(
                DBInstanceIdentifier=instance, DBSnapshotIdentifier=name, Tags=as_list(tags)
            ),
        )
    except ClientError as error:
        if not is_code(error, "DBSnapshotAlreadyExists"):
            raise
    wait_for(
        Wait(
            what=f"snapshot/{region}/{name} to be available",
            probe=lambda: rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0],
            reached=lambda item: item["Status"] == AVAILABLE,
            fatal=lambda item: "it failed" if item["Status"] == "failed" else None,
            interval=site.cloud.settings.interval,
            deadline=site.cloud.settings.deadline,
            describe=lambda item: f"{item['Status']}, {item.get('PercentProgress', 0)} %",
        )
    )


def _read(item: Mapping[str, Any]) -> Taken:
    return Taken(
        item.get("DbiResourceId", ""),
        as_map(item.get("TagList")).get(names.TAG_STACK, ""),
        item["Status"],
        # It has no time yet when its copy has not begun.
        item.get("SnapshotCreateTime", datetime.now(UTC)),
    )
