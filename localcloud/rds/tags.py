"""Tags of everything RDS gives an ARN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from localcloud.rds import faults
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Tags

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_MOST = 50


def tagged(home: Home) -> Iterator[tuple[str, str, Tags]]:
    """Yield ARN, kind and tags of every resource of a region."""
    for instance in home.instances.values():
        yield instance.arn, "db", instance.tags
    for group in home.subnet_groups.values():
        yield group.arn, "subgrp", group.tags
    for parameters in home.parameter_groups.values():
        yield parameters.arn, "pg", parameters.tags
    for proxy in home.proxies.values():
        yield proxy.arn, "db-proxy", proxy.tags
        yield proxy.group_arn, "target-group", proxy.group_tags
    for subscription in home.subscriptions.values():
        yield subscription.arn, "es", subscription.tags
    for backup in [*home.automated_backups.values(), *home.replicated_backups.values()]:
        yield backup.arn, "auto-backup", backup.tags
    for snapshot in home.snapshots.values():
        yield snapshot.arn, "snapshot", snapshot.tags


def of_resource(home: Home, arn: str) -> Tags:
    """Return the tags of one resource; raise its kind's fault when there is none such."""
    for known, _, tags in tagged(home):
        if known == arn:
            return tags
    raise _unknown(arn)


def _tags(call: Call) -> Tags:
    return of_resource(call.home, str(call.need("ResourceName")))


def _unknown(arn: str) -> faults.Fault:
    parts = arn.split(":")
    kind = parts[5] if len(parts) > 6 else ""  # noqa: PLR2004  # an RDS ARN has seven parts
    name = parts[-1]
    codes = {
        "db": ("DBInstanceNotFound", f"DBInstance {name} not found."),
        "subgrp": ("DBSubnetGroupNotFoundFault", f"DB subnet group {name} not found."),
        "pg": ("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}"),
        "db-proxy": ("DBProxyNotFoundFault", f"DB proxy {name} not found."),
        "target-group": ("DBProxyTargetGroupNotFoundFault", f"Target group {name} not found."),
        "snapshot": ("DBSnapshotNotFound", f"DBSnapshot {name} not found."),
        "auto-backup": (
            "DBInstanceAutomatedBackupNotFound",
            f"Automated backup {name} was not found.",
        ),
        "es": ("SubscriptionNotFound", f"Subscription {name} not found."),
    }
    code, message = codes.get(kind, ("InvalidParameterValue", f"Invalid resource name: {arn}"))
    return faults.Fault(code, message)


@operation("ListTagsForResource")
def list_tags_for_resource(call: Call) -> Answer:
    """The tags of one resource."""
    return {"TagList": _tags(call)}


@operation("AddTagsToResource")
def add_tags_to_resource(call: Call) -> Answer:
    """Add tags, or give those that are there another value."""
    tags = _tags(call)
    table = {tag["Key"]: tag.get("Value", "") for tag in tags}
    for tag in call.get("Tags", []):
        if tag["Key"].lower().startswith(("aws:", "rds:")):
            raise faults.invalid_value(f"The tag key {tag['Key']} is reserved.")
        table[tag["Key"]] = tag.get("Value", "")
    if len(table) > _MOST:
        raise faults.invalid_value(f"A resource can have at most {_MOST} tags.")
    tags[:] = [{"Key": key, "Value": value} for key, value in table.items()]
    return {}


@operation("RemoveTagsFromResource")
def remove_tags_from_resource(call: Call) -> Answer:
    """Take tags away by their keys."""
    tags = _tags(call)
    keys = set(call.get("TagKeys", []))
    tags[:] = [tag for tag in tags if tag["Key"] not in keys]
    return {}
