"""EC2: security groups with their rules, and the subnets of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import InvalidRequest
from haven.plan import Change
from haven.stack.network import SecurityGroup, SecurityRules, rule
from haven.stack.resource import Found, Resource
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, as_map, only

EVERYTHING = "-1"
ALREADY = ("InvalidPermission.Duplicate", "InvalidPermission.NotFound")


@looks
def observe_security_groups(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read every security group of the stack, and its rules, in one request."""
    ec2 = site.cloud.client("ec2", region)
    groups = only(SecurityGroup, wanted)
    names = [group.name for group in groups]
    pages = ec2.get_paginator("describe_security_groups").paginate(
        Filters=[{"Name": "group-name", "Values": names}]
    )
    by_name = {item["GroupName"]: item for page in pages for item in page["SecurityGroups"]}
    found: dict[str, Found[Resource]] = {}
    everything: list[SecurityGroup | SecurityRules] = [*groups, *only(SecurityRules, wanted)]
    for item in everything:
        if item.name in by_name:
            found[item.address] = _read(item, by_name[item.name])
    return found


def _read(item: SecurityGroup | SecurityRules, group: dict[str, Any]) -> Found[Resource]:
    identifier = group["GroupId"]
    arn = group.get("SecurityGroupArn") or (
        f"arn:aws:ec2:{item.region}:{group['OwnerId']}:security-group/{identifier}"
    )
    outputs = {"id": identifier}
    if isinstance(item, SecurityRules):
        rules = SecurityRules(
            name=item.name, region=item.region, group=identifier, rules=tuple(_rules(group))
        )
        return Found(rules, arn, outputs)
    return Found(
        SecurityGroup(name=item.name, region=item.region, description="", vpc=group["VpcId"]),
        arn,
        outputs,
        as_map(group.get("Tags")),
    )


def _rules(group: dict[str, Any]) -> Iterable[str]:
    directions = (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress"))
    for direction, entry in directions:
        for item in group.get(entry, ()):
            for peer in _peers(item):
                yield rule(direction, item.get("FromPort", -1), peer, item["IpProtocol"])


def _peers(permission: dict[str, Any]) -> Iterable[str]:
    for pair in permission.get("UserIdGroupPairs", ()):
        yield pair["GroupId"]
    for block in permission.get("IpRanges", ()):
        yield block["CidrIp"]
    for block in permission.get("Ipv6Ranges", ()):
        yield block["CidrIpv6"]


@changes
def apply_security_group(
    site: Site, group: SecurityGroup, _found: Found[SecurityGroup] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Make the group; nothing of an existing one can change but its tags."""
    ec2 = site.client("ec2", group)
    try:
        identifier = ec2.create_security_group(
            GroupName=group.name,
            Description=group.description,
            VpcId=group.vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": site.tag_list(group)}],
        )["GroupId"]
    except ClientError as error:
        if not is_code(error, "InvalidGroup.Duplicate"):
            raise
        identifier = _identifier(ec2, group.name)
    arn = f"arn:aws:ec2:{group.region}:{site.stack.account}:security-group/{identifier}"
    return Found(group, arn, {"id": identifier}, site.tags(group))


def _identifier(ec2: Any, name: str) -> str:
    answer = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    return str(answer["SecurityGroups"][0]["GroupId"])


@changes
def apply_security_rules(
    site: Site, wanted: SecurityRules, found: Found[SecurityRules] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Open what is missing, one rule a request since a request is atomic, then close the rest."""
    ec2 = site.client("ec2", wanted)
    group = ec2.describe_security_groups(GroupIds=[wanted.group])["SecurityGroups"][0]
    have = set(_rules(group))
    for item in sorted(set(wanted.rules) - have):
        _change_rule(ec2, "authorize", wanted.group, item)
    for item in sorted(have - set(wanted.rules)):
        _change_rule(ec2, "revoke", wanted.group, item)
    return Found(wanted, found.arn if found else wanted.group, {"id": wanted.group})


def _permission(item: str) -> tuple[str, dict[str, Any]]:
    direction, protocol, port, peer = item.split(" ")
    permission: dict[str, Any] = {"IpProtocol": protocol}
    if protocol != EVERYTHING:
        permission |= {"FromPort": int(port), "ToPort": int(port)}
    if peer.startswith("sg-"):
        permission["UserIdGroupPairs"] = [{"GroupId": peer}]
    elif ":" in peer:
        permission["Ipv6Ranges"] = [{"CidrIpv6": peer}]
    else:
        permission["IpRanges"] = [{"CidrIp": peer}]
    return direction, permission


def _change_rule(ec2: Any, verb: str, group: str, item: str) -> None:
    """Authorize or revoke one rule; one that is there, or gone, already is fine."""
    direction, permission = _permission(item)
    call = getattr(ec2, f"{verb}_security_group_{direction}")
    try:
        call(GroupId=group, IpPermissions=[permission])
    except ClientError as error:
        if not is_code(error, *ALREADY):
            raise


@changes
def delete_security_rules(site: Site, found: Found[SecurityRules]) -> None:
    """Revoke every rule, so that groups that refer to each other can be deleted."""
    ec2 = site.client("ec2", found.resource)
    for item in found.resource.rules:
        _change_rule(ec2, "revoke", found.outputs["id"], item)


@changes
def delete_security_group(site: Site, found: Found[SecurityGroup]) -> None:
    """Delete the group."""
    ec2 = site.client("ec2", found.resource)
    try:
        ec2.delete_security_group(GroupId=found.outputs["id"])
    except ClientError as error:
        if not is_code(error, "InvalidGroup.NotFound"):
            raise


def find_subnets(site: Site, region: str, vpc: str) -> list[str]:
    """Return the subnets of a VPC, one per zone; ``default`` is the region's default VPC."""
    ec2 = site.cloud.client("ec2", region)
    condition = (
        {"Name": "default-for-az", "Values": ["true"]}
        if vpc == "default"
        else {"Name": "vpc-id", "Values": [vpc]}
    )
    pages = ec2.get_paginator("describe_subnets").paginate(Filters=[condition])
    by_zone = {
        item["AvailabilityZone"]: item["SubnetId"]
        for page in pages
        for item in sorted(page["Subnets"], key=lambda item: item["SubnetId"], reverse=True)
    }
    if len(by_zone) < 2:  # noqa: PLR2004  # RDS: a subnet group covers at least two zones
        raise InvalidRequest(
            f"The network '{vpc}' in {region} has subnets in {len(by_zone)} zones; RDS needs two.",
            left="Nothing was touched.",
            cure="Name the VPC or its subnets in [network] or [recovery_network] of the stack.",
        )
    return [by_zone[zone] for zone in sorted(by_zone)]
