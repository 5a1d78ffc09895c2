"""Where an instance is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.rds import faults, networks, validation
from localcloud.rds.operations import Call
from localcloud.rds.records import SubnetGroup

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def subnet_group(home: Home, name: str | None) -> SubnetGroup:
    """Return a subnet group by name, or the region's default one, made on its first use."""
    wanted = (name or "default").lower()
    found = home.subnet_groups.get(wanted)
    if found is None and wanted == "default":
        subnets = networks.default_subnets(home)
        arn = home.arn("subgrp", "default")
        found = SubnetGroup("default", "default", subnets[0]["vpc"], subnets, arn, [])
        home.subnet_groups["default"] = found
    if found is None:
        raise faults.Fault(
            "DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist."
        )
    if found.lost:
        raise faults.Fault(
            "InvalidVPCNetworkStateFault",
            f"The subnets of DB subnet group '{found.name}' were lost when the local cloud was "
            "killed. Create another group of subnets that exist.",
        )
    return found


def placement(call: Call, group: SubnetGroup, *, multi_az: bool) -> dict[str, object]:
    """Return the availability zones of a new instance."""
    asked = call.get("AvailabilityZone")
    if asked and multi_az:
        raise faults.invalid_combination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances."
        )
    zones = group.zones
    if multi_az and len(zones) < 2:  # noqa: PLR2004  # one zone cannot hold both
        raise faults.Fault(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement.",
        )
    taken = [item.settings.get("AvailabilityZone") for item in call.home.instances.values()]
    chosen = validation.zone(call.home, asked, zones) if asked else min(zones, key=taken.count)
    second = next((zone for zone in zones if zone != chosen), None) if multi_az else None
    return {
        "AvailabilityZone": chosen,
        "SecondaryAvailabilityZone": second,
        "MultiAZ": multi_az,
        "DBSubnetGroupName": group.name,
    }


def groups_of(call: Call, vpc: str) -> list[str]:
    """Return the security groups asked for, or the VPC's default one."""
    given = call.get("VpcSecurityGroupIds")
    if given:
        return networks.security_groups(call.home, given, vpc)
    return networks.default_security_group(call.home, vpc)
