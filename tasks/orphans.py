"""What may be left over: backups without an instance, parameter groups, logs kept for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code, not_found
from haven.errors import HavenError, Refused, Unavailable
from haven.retention.orphans import Group, KeptBackup, why_keep_backup, why_keep_group
from tasks.kinds import changes, looks
from tasks.site import Site, as_map

LOGS_OF = "/aws/rds/instance/"
UNTOUCHED = "It was not touched."
AGAIN = "Run the same command again: it is judged anew."


@dataclass(frozen=True, slots=True)
class EndlessLog:
    """A log group of an instance that keeps what it gets for ever."""

    name: str
    region: str
    bytes: int

    @property
    def address(self) -> str:
        """What plans call it."""
        return f"log-group/{self.region}/{self.name}"


def alive_in(site: Site, region: str) -> frozenset[str] | None:
    """Return the resource ids of a region's instances; None when it does not answer."""
    try:
        return resource_ids(site, region)
    except Unavailable:
        return None


@looks
def resource_ids(site: Site, region: str) -> frozenset[str]:
    """Return the resource ids of every instance of a region."""
    pages = site.cloud.client("rds", region).get_paginator("describe_db_instances").paginate()
    return frozenset(item["DbiResourceId"] for page in pages for item in page["DBInstances"])


@looks
def observe_kept_backups(site: Site, region: str) -> list[KeptBackup]:
    """Return automated backups of the stack that are not of an instance that is there.

    These are what was kept of a deleted instance, and copies of another region's.
    """
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_instance_automated_backups").paginate()
    return [
        _backup(item, region)
        for page in pages
        for item in page["DBInstanceAutomatedBackups"]
        if str(item["DBInstanceIdentifier"]).startswith(f"{site.stack.prefix}-")
        and (item["Status"] == "retained" or item["Region"] != region)
    ]


def _backup(item: Mapping[str, Any], region: str) -> KeptBackup:
    span = item.get("RestoreWindow") or {}
    return KeptBackup(
        item["DBInstanceAutomatedBackupsArn"],
        item["DBInstanceIdentifier"],
        item["DbiResourceId"],
        region,
        item["Region"],
        span.get("LatestTime"),
        as_map(item.get("TagList")),
    )


@changes
def remove_kept_backup(site: Site, planned: KeptBackup) -> bool:
    """Delete automated backups without an instance; look right before. Tell if they were there."""
    rds = site.cloud.client("rds", planned.region)
    try:
        answer = rds.describe_db_instance_automated_backups(
            DBInstanceAutomatedBackupsArn=planned.arn
        )
        found = _backup(answer["DBInstanceAutomatedBackups"][0], planned.region)
        alive = alive_in(site, found.source_region)
        reason = why_keep_backup(site.stack, found, alive, datetime.now(UTC))
        if reason:
            raise _refused(planned.address, reason)
        rds.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=planned.arn)
    except ClientError as error:
        if is_code(error, "DBInstanceAutomatedBackupNotFound"):
            return False
        raise
    return True


@looks
def observe_groups(site: Site, region: str) -> list[Group]:
    """Return a region's parameter groups that have a name of the stack, with tags and users."""
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_parameter_groups").paginate()
    users = _users(rds)
    return [
        _group(rds, item, region, users)
        for page in pages
        for item in page["DBParameterGroups"]
        if item["DBParameterGroupName"].startswith(f"{site.stack.prefix}-")
    ]


def _users(rds: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    pages = rds.get_paginator("describe_db_instances").paginate()
    for item in (one for page in pages for one in page["DBInstances"]):
        for group in item["DBParameterGroups"]:
            users = found.setdefault(group["DBParameterGroupName"], [])
            users.append(item["DBInstanceIdentifier"])
    return found


def _group(rds: Any, item: Mapping[str, Any], region: str, users: Mapping[str, list[str]]) -> Group:
    name, arn = item["DBParameterGroupName"], item["DBParameterGroupArn"]
    tags = as_map(rds.list_tags_for_resource(ResourceName=arn)["TagList"])
    return Group(name, region, arn, tags, tuple(sorted(users.get(name, ()))))


@changes
def remove_group(site: Site, planned: Group, wanted: frozenset[str]) -> bool:
    """Delete a parameter group that nothing uses; look right before. Tell if it was there."""
    rds = site.cloud.client("rds", planned.region)
    try:
        answer = rds.describe_db_parameter_groups(DBParameterGroupName=planned.name)
        found = _group(rds, answer["DBParameterGroups"][0], planned.region, _users(rds))
        reason = why_keep_group(site.stack, found, wanted)
        if reason:
            raise _refused(planned.address, reason)
        rds.delete_db_parameter_group(DBParameterGroupName=planned.name)
    except ClientError as error:
        if not_found(error):
            return False
        raise
    return True


@looks
def observe_endless_logs(site: Site, region: str) -> list[EndlessLog]:
    """Return the log groups of instances with a name of the stack that have no retention."""
    logs = site.cloud.client("logs", region)
    prefix = f"{LOGS_OF}{site.stack.prefix}-"
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return [
        EndlessLog(item["logGroupName"], region, item.get("storedBytes", 0))
        for page in pages
        for item in page["logGroups"]
        if not item.get("retentionInDays")
    ]


@changes
def end_log(site: Site, found: EndlessLog, days: int) -> None:
    """Let a log group keep what it gets for so many days."""
    logs = site.cloud.client("logs", found.region)
    logs.put_retention_policy(logGroupName=found.name, retentionInDays=days)


def _refused(address: str, reason: str) -> HavenError:
    return Refused(f"{address} is not deleted: {reason}.", left=UNTOUCHED, cure=AGAIN)
