"""DB subnet groups."""

from __future__ import annotations

from typing import Any

from localcloud.rds import faults, networks
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import SubnetGroup

_FEWEST_ZONES = 2


def shown(group: SubnetGroup) -> dict[str, Any]:
    """Return a group as the API shows it."""
    return {
        "DBSubnetGroupName": group.name,
        "DBSubnetGroupDescription": group.description,
        "DBSubnetGroupArn": group.arn,
        "VpcId": group.vpc,
        "SubnetGroupStatus": "Complete",
        "SupportedNetworkTypes": ["IPV4"],
        "Subnets": [
            {
                "SubnetIdentifier": subnet["id"],
                "SubnetAvailabilityZone": {"Name": subnet["zone"]},
                "SubnetOutpost": {},
                "SubnetStatus": "Active",
            }
            for subnet in group.subnets
        ],
    }


def _subnets(call: Call) -> list[dict[str, str]]:
    found = networks.subnets(call.home, list(dict.fromkeys(call.need("SubnetIds"))))
    if len({subnet["vpc"] for subnet in found}) > 1:
        raise faults.Fault("InvalidSubnet", "The subnets are not all in the same VPC.")
    if len({subnet["zone"] for subnet in found}) < _FEWEST_ZONES:
        raise faults.Fault(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            f"Current AZ coverage: {', '.join(sorted({item['zone'] for item in found}))}. "
            "Add subnets to cover at least 2 AZs.",
        )
    return found


def _find(call: Call) -> SubnetGroup:
    name = str(call.need("DBSubnetGroupName")).lower()
    found = call.home.subnet_groups.get(name)
    if found is None:
        raise faults.Fault(
            "DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist."
        )
    return found


@operation("CreateDBSubnetGroup")
def create_db_subnet_group(call: Call) -> Answer:
    """Make a group of subnets in at least two zones of one VPC."""
    name = str(call.need("DBSubnetGroupName")).lower()
    if name == "default":
        raise faults.invalid_value("The name default is reserved.")
    if name in call.home.subnet_groups:
        raise faults.Fault(
            "DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists."
        )
    subnets = _subnets(call)
    group = SubnetGroup(
        name,
        call.need("DBSubnetGroupDescription"),
        subnets[0]["vpc"],
        subnets,
        call.home.arn("subgrp", name),
        list(call.get("Tags", [])),
    )
    call.home.subnet_groups[name] = group
    return {"DBSubnetGroup": shown(group)}


@operation("DescribeDBSubnetGroups")
def describe_db_subnet_groups(call: Call) -> Answer:
    """All groups of a region, or one."""
    if call.has("DBSubnetGroupName"):
        return {"DBSubnetGroups": [shown(_find(call))]}
    groups = call.home.subnet_groups
    return {"DBSubnetGroups": [shown(groups[name]) for name in sorted(groups)]}


@operation("ModifyDBSubnetGroup")
def modify_db_subnet_group(call: Call) -> Answer:
    """Replace the subnets; a zone an instance is in has to stay."""
    group = _find(call)
    subnets = _subnets(call)
    if subnets[0]["vpc"] != group.vpc:
        raise faults.Fault("InvalidSubnet", "The subnets are not in the VPC of the group.")
    zones = {subnet["zone"] for subnet in subnets}
    for instance in call.home.instances.values():
        if instance.settings["DBSubnetGroupName"] != group.name:
            continue
        used = instance.settings["AvailabilityZone"]
        if used not in zones:
            raise faults.Fault(
                "SubnetAlreadyInUse",
                f"Some of the subnets to be deleted are currently in use: zone {used} by "
                f"{instance.identifier}.",
            )
    group.subnets = subnets
    group.description = call.get("DBSubnetGroupDescription", group.description)
    return {"DBSubnetGroup": shown(group)}


@operation("DeleteDBSubnetGroup")
def delete_db_subnet_group(call: Call) -> Answer:
    """Delete a group that no instance uses."""
    group = _find(call)
    for instance in call.home.instances.values():
        if instance.settings["DBSubnetGroupName"] == group.name:
            raise faults.Fault(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{group.name}' because at least one database "
                f"instance: {instance.identifier} is still using it.",
            )
    del call.home.subnet_groups[group.name]
    return {}
