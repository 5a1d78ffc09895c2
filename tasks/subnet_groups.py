"""RDS: DB subnet groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack import names
from haven.stack.network import SubnetGroup
from haven.stack.resource import Found, Resource
from tasks.kinds import changes
from tasks.networks import find_subnets
from tasks.site import Observation, Site

MISSING = ("DBSubnetGroupNotFoundFault",)


def find_subnet_group(
    site: Site, group: SubnetGroup, seen: Mapping[str, dict[str, Any]]
) -> Observation:
    """Read the stack's subnet group in a region, from an instance's description if in there."""
    item = seen.get(group.name)
    if item is None:
        try:
            answer = site.client("rds", group).describe_db_subnet_groups(
                DBSubnetGroupName=group.name
            )
        except ClientError as error:
            if is_code(error, *MISSING):
                return {}
            raise
        item = answer["DBSubnetGroups"][0]
    return {group.address: read_subnet_group(site, group, item)}


def read_subnet_group(site: Site, group: SubnetGroup, item: dict[str, Any]) -> Found[Resource]:
    """Turn a subnet group's description into what is compared and what others may ask."""
    subnets = tuple(sorted(subnet["SubnetIdentifier"] for subnet in item["Subnets"]))
    arn = item.get("DBSubnetGroupArn") or names.rds_arn(
        site.stack, group.region, "subgrp", group.name
    )
    return Found(
        SubnetGroup(
            name=group.name,
            region=group.region,
            description=item["DBSubnetGroupDescription"],
            vpc=item["VpcId"],
            subnets=subnets,
        ),
        arn,
        {"name": group.name, "vpc": item["VpcId"], "subnets": ",".join(subnets)},
    )


@changes
def apply_subnet_group(
    site: Site, group: SubnetGroup, found: Found[SubnetGroup] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the group, or give it the wanted subnets."""
    rds = site.client("rds", group)
    if found and "subnets" in {change.attribute for change in changed}:
        answer = rds.modify_db_subnet_group(
            DBSubnetGroupName=group.name, SubnetIds=list(group.subnets)
        )
    elif found:
        return found
    else:
        answer = rds.create_db_subnet_group(
            DBSubnetGroupName=group.name,
            DBSubnetGroupDescription=group.description,
            SubnetIds=list(group.subnets) or find_subnets(site, group.region, group.vpc),
            Tags=site.tag_list(group),
        )
    return read_subnet_group(site, group, answer["DBSubnetGroup"])


@changes
def delete_subnet_group(site: Site, found: Found[SubnetGroup]) -> None:
    """Delete the group."""
    try:
        site.client("rds", found.resource).delete_db_subnet_group(
            DBSubnetGroupName=found.resource.name
        )
    except ClientError as error:
        if not is_code(error, *MISSING):
            raise
