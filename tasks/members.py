"""RDS: the instances of a stack by their tags, whatever their names; and what is written there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haven.aws import Cloud
from haven.errors import InvalidRequest
from haven.stack import names
from haven.stack.layout import FIRST_EPOCH, OF_A_STACK, Member
from haven.stack.model import Stack
from haven.verification.guard import is_scratch_name
from haven.waiting import Wait, wait_for
from tasks.instance_waits import describe
from tasks.kinds import changes, looks
from tasks.site import Site, as_list, as_map


@looks
def look_at_members(cloud: Cloud, stack: Stack, region: str) -> tuple[Member, ...]:
    """Return a stack's own instances in a region; copies for trial and proof are none of them."""
    rds = cloud.client("rds", region, retries=False)
    pages = rds.get_paginator("describe_db_instances").paginate()
    return tuple(
        _member(item, region, tags)
        for page in pages
        for item in page["DBInstances"]
        if (tags := as_map(item.get("TagList"))).get(names.TAG_STACK) == stack.prefix
        and tags.get(names.TAG_ROLE) in OF_A_STACK
        and not _is_copy(stack, item["DBInstanceIdentifier"])
    )


def _is_copy(stack: Stack, name: str) -> bool:
    """Tell copies by their names, whatever somebody has written on them."""
    return name == names.rehearsal(stack) or is_scratch_name(stack, name)


@looks
def read_member(site: Site, region: str, name: str) -> Member:
    """Return one instance by its name, whatever its role."""
    item = describe(site.cloud.client("rds", region), name)
    return _member(item, region, as_map(item.get("TagList")))


def _member(item: Mapping[str, Any], region: str, tags: Mapping[str, str]) -> Member:
    endpoint = item.get("Endpoint") or {}
    return Member(
        name=item["DBInstanceIdentifier"],
        region=region,
        role=tags.get(names.TAG_ROLE, ""),
        epoch=_epoch(item["DBInstanceIdentifier"], tags),
        source=item.get("ReadReplicaSourceDBInstanceIdentifier", ""),
        resource_id=item["DbiResourceId"],
        status=item["DBInstanceStatus"],
        zone=item.get("AvailabilityZone", ""),
        instance_class=item["DBInstanceClass"],
        host=endpoint.get("Address", ""),
        port=endpoint.get("Port", 0),
        mark=tags.get(names.TAG_PROMOTION, ""),
        fenced=names.TAG_FENCED in tags,
    )


def _epoch(name: str, tags: Mapping[str, str]) -> int:
    text = tags.get(names.TAG_EPOCH, str(FIRST_EPOCH))
    if not text.isdecimal():
        raise InvalidRequest(
            f"The tag {names.TAG_EPOCH} of {name} says {text!a}, which is no epoch.",
            left="Nothing was touched.",
            cure="Find out who wrote it, and set it right.",
        )
    return int(text)


@changes
def tag_member(site: Site, member: Member, tags: Mapping[str, str]) -> None:
    """Write tags on an instance; others of its tags stay."""
    arn = names.rds_arn(site.stack, member.region, "db", member.name)
    rds = site.cloud.client("rds", member.region)
    rds.add_tags_to_resource(ResourceName=arn, Tags=as_list(tags))


@changes
def untag_member(site: Site, member: Member, key: str) -> None:
    """Take a tag off an instance."""
    arn = names.rds_arn(site.stack, member.region, "db", member.name)
    rds = site.cloud.client("rds", member.region)
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=[key])


@changes
def move_member(site: Site, member: Member, group: str) -> None:
    """Put an instance into one security group alone; it is there a little later."""
    rds = site.cloud.client("rds", member.region)
    if _groups(rds, member.name) != [group]:
        rds.modify_db_instance(
            DBInstanceIdentifier=member.name, VpcSecurityGroupIds=[group], ApplyImmediately=True
        )


@looks
def wait_moved(site: Site, member: Member, group: str) -> None:
    """Wait until an instance is in one security group alone."""
    rds, settings = site.cloud.client("rds", member.region), site.cloud.settings
    wait_for(
        Wait(
            what=f"{member.name} to be in {group} alone",
            probe=lambda: _groups(rds, member.name),
            reached=lambda groups: groups == [group],
            fatal=lambda _: None,
            interval=settings.interval,
            deadline=settings.deadline,
        )
    )


def _groups(rds: Any, name: str) -> list[str]:
    groups = describe(rds, name)["VpcSecurityGroups"]
    return [item["VpcSecurityGroupId"] for item in groups if item.get("Status") != "removing"]
