"""RDS: manual snapshots that are kept, what is at work with each, and deleting one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Refused
from haven.retention.proof import Proofs
from haven.retention.snapshots import AVAILABLE, TAG_HOLD, Snapshot, Window
from haven.stack.names import TAG_STACK
from tasks.instance_waits import CREATING
from tasks.kinds import changes, looks
from tasks.site import Site, as_map

MISSING = ("DBSnapshotNotFound", "DBSnapshotNotFoundFault")
EXPORTING = frozenset({"STARTING", "IN_PROGRESS", "CANCELING"})


@dataclass(frozen=True, slots=True)
class Known:
    """What else is known of snapshots: by ARN what verifications found, by address the proofs."""

    good: Mapping[str, bool]
    proofs: Proofs


@dataclass(frozen=True, slots=True)
class Work:
    """What is at work in a region: exports and copies, by the ARN they read; and restores."""

    exported: frozenset[str]
    copied: frozenset[str]
    restored: tuple[str, ...]

    def use(self, arn: str, shared: list[str]) -> str:
        """Say what uses a snapshot."""
        reasons = (
            (arn in self.exported, "an export reads it"),
            (arn in self.copied, "a copy of it is being made"),
            # RDS does not tell from which snapshot an instance is being restored.
            (bool(self.restored), f"{', '.join(self.restored)} may be restored from it just now"),
            (bool(shared), f"it is shared with {', '.join(shared)}"),
        )
        return next((reason for applies, reason in reasons if applies), "")


@looks
def observe_snapshots_kept(site: Site, region: str, known: Known) -> list[Snapshot]:
    """Return a region's manual snapshots of the stack's instances, and what bears its tag."""
    rds = site.cloud.client("rds", region)
    work = _work(site, region)
    items = [item for item in _manual(rds) if _concerns(site, item)]
    return [_read(site, rds, region, item, work, known) for item in items]


@looks
def observe_restore_windows(site: Site, region: str) -> dict[tuple[str, str], Window]:
    """Return between which moments each instance can be restored in a region, by resource id."""
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_instance_automated_backups").paginate()
    found: dict[tuple[str, str], Window] = {}
    for item in (one for page in pages for one in page["DBInstanceAutomatedBackups"]):
        span = item.get("RestoreWindow") or {}
        if span.get("EarliestTime") and span.get("LatestTime"):
            window = Window(span["EarliestTime"], span["LatestTime"])
            found[region, item["DbiResourceId"]] = window
    return found


@changes
def remove_snapshot(site: Site, planned: Snapshot) -> bool:
    """Delete a snapshot; look once more right before. Tell whether it was there.

    Raises ``Refused`` when it is not the one that was judged, or somebody wants it by now.
    """
    rds = site.cloud.client("rds", planned.region)
    try:
        item = rds.describe_db_snapshots(DBSnapshotIdentifier=planned.name)["DBSnapshots"][0]
        reasons = _changed_since(site, rds, item, planned)
        if reasons:
            raise Refused(
                f"{planned.address} is not deleted: {'; '.join(reasons)}.",
                left="It was not touched.",
                cure="Run the same command again: it is judged anew.",
            )
        rds.delete_db_snapshot(DBSnapshotIdentifier=planned.name)
    except ClientError as error:
        if is_code(error, *MISSING):
            return False
        raise
    return True


def _changed_since(site: Site, rds: Any, item: Mapping[str, Any], planned: Snapshot) -> list[str]:
    tags = as_map(item.get("TagList"))
    use = _work(site, planned.region).use(planned.arn, _shared(rds, planned.name))
    reasons = {
        "it is another one of that name": (item["DBSnapshotArn"], item["SnapshotCreateTime"])
        == (planned.arn, planned.taken),
        "it is no manual one": item["SnapshotType"] == "manual",
        f"it is {item['Status']}": item["Status"] == AVAILABLE,
        "it does not bear the tag of this stack": tags.get(TAG_STACK) == site.stack.prefix,
        "somebody holds it": TAG_HOLD not in tags,
        use: not use,
    }
    return [reason for reason, fine in reasons.items() if not fine]


def _manual(rds: Any) -> list[dict[str, Any]]:
    pages = rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual")
    return [item for page in pages for item in page["DBSnapshots"]]


def _concerns(site: Site, item: Mapping[str, Any]) -> bool:
    """Tell whether it is of an instance of the stack by its name, or bears the stack's tag."""
    named = str(item["DBInstanceIdentifier"]).startswith(f"{site.stack.prefix}-")
    return named or as_map(item.get("TagList")).get(TAG_STACK) == site.stack.prefix


def _read(
    site: Site, rds: Any, region: str, item: Mapping[str, Any], work: Work, known: Known
) -> Snapshot:
    tags, arn, name = (
        as_map(item.get("TagList")),
        item["DBSnapshotArn"],
        item["DBSnapshotIdentifier"],
    )
    # It has no time yet when its copy has not begun.
    taken = item.get("SnapshotCreateTime", datetime.now(UTC))
    found = Snapshot(
        name=name,
        arn=arn,
        region=region,
        source=item.get("DbiResourceId", ""),
        taken=taken,
        gib=item.get("AllocatedStorage", 0),
        ours=tags.get(TAG_STACK) == site.stack.prefix,
        status=item["Status"],
        hold=(tags[TAG_HOLD] or "without a reason") if TAG_HOLD in tags else "",
        use=work.use(arn, _shared(rds, name)),
        good=known.good.get(arn),
    )
    proof = known.proofs.get(found.address)
    return replace(found, archived=proof is not None and proof.read_back >= taken)


def _shared(rds: Any, name: str) -> list[str]:
    answer = rds.describe_db_snapshot_attributes(DBSnapshotIdentifier=name)
    return [
        account
        for attribute in answer["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]
        if attribute["AttributeName"] == "restore"
        for account in attribute.get("AttributeValues", ())
    ]


def _work(site: Site, region: str) -> Work:
    stack = site.stack
    rds = site.cloud.client("rds", region)
    exports = rds.get_paginator("describe_export_tasks").paginate()
    instances = rds.get_paginator("describe_db_instances").paginate()
    return Work(
        frozenset(
            task["SourceArn"]
            for page in exports
            for task in page["ExportTasks"]
            if task["Status"] in EXPORTING
        ),
        frozenset(
            item["SourceDBSnapshotIdentifier"]
            for other in (stack.region, stack.recovery_region)
            for item in _manual(site.cloud.client("rds", other))
            if item["Status"] != AVAILABLE and item.get("SourceDBSnapshotIdentifier")
        ),
        tuple(
            item["DBInstanceIdentifier"]
            for page in instances
            for item in page["DBInstances"]
            if item["DBInstanceStatus"] == CREATING
            and not item.get("ReadReplicaSourceDBInstanceIdentifier")
        ),
    )
