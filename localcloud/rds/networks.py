"""Questions to EC2: subnets, their zones and VPC, security groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends

from localcloud.rds import faults

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def _ec2(home: Home) -> Any:
    return ec2_backends[home.account_id][home.region_name]


def zones(home: Home) -> list[str]:
    """Return the availability zones of a region."""
    return sorted(zone.name for zone in _ec2(home).describe_availability_zones())


def subnets(home: Home, identifiers: list[str]) -> list[dict[str, str]]:
    """Return subnets as id, zone and VPC; raise the fault when one does not exist."""
    known = {subnet.id: subnet for subnet in _ec2(home).describe_subnets()}
    for identifier in identifiers:
        if identifier not in known:
            raise faults.Fault(
                "InvalidSubnet",
                f"The subnet ID '{identifier}' does not exist.",
            )
    return [
        {
            "id": identifier,
            "zone": known[identifier].availability_zone,
            "vpc": known[identifier].vpc_id,
        }
        for identifier in identifiers
    ]


def default_subnets(home: Home) -> list[dict[str, str]]:
    """Return the subnets of the region's default VPC."""
    identifiers = [
        subnet.id
        for subnet in _ec2(home).describe_subnets()
        if str(subnet.default_for_az).lower() == "true"
    ]
    return subnets(home, sorted(identifiers))


def security_groups(home: Home, identifiers: list[str], vpc: str) -> list[str]:
    """Return the groups; raise the fault when one does not exist or is of another VPC."""
    known = {group.id: group for group in _ec2(home).describe_security_groups()}
    for identifier in identifiers:
        if identifier not in known:
            raise faults.invalid_value(
                f"Invalid security group , groupId= {identifier}, groupName=."
            )
        if known[identifier].vpc_id != vpc:
            raise faults.Fault(
                "InvalidVPCNetworkStateFault",
                "The DB instance and EC2 security group are in different VPCs. The DB instance "
                f"is in {vpc} and the EC2 security group is in {known[identifier].vpc_id}",
            )
    return list(identifiers)


def default_security_group(home: Home, vpc: str) -> list[str]:
    """Return the default group of a VPC."""
    for group in _ec2(home).describe_security_groups():
        if group.vpc_id == vpc and group.name == "default":
            return [group.id]
    return []
