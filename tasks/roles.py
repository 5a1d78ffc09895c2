"""IAM: the roles that AWS services assume."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack.resource import Found, Resource
from haven.stack.role import Role
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, as_map, only

INLINE = "haven"
MISSING = ("NoSuchEntity",)


@looks
def observe_roles(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read trust, policies and tags of all roles of the account in one request."""
    iam = site.cloud.client("iam", region)
    by_name = {role.name: role for role in only(Role, wanted)}
    pages = iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
    found: dict[str, Found[Resource]] = {}
    for page in pages:
        for item in page["RoleDetailList"]:
            if item["RoleName"] in by_name:
                role = by_name[item["RoleName"]]
                found[role.address] = _read(role, item)
    return found


def _read(role: Role, item: dict[str, Any]) -> Found[Resource]:
    inline = {entry["PolicyName"]: entry["PolicyDocument"] for entry in item["RolePolicyList"]}
    policy = json.dumps(inline[INLINE]) if INLINE in inline else ""
    return Found(
        Role(
            name=role.name,
            region=role.region,
            description=role.description,
            trust=json.dumps(item["AssumeRolePolicyDocument"]),
            policy=policy,
            managed=tuple(entry["PolicyArn"] for entry in item["AttachedManagedPolicies"]),
            strange=tuple(sorted(inline.keys() - {INLINE})),
        ),
        item["Arn"],
        {"arn": item["Arn"]},
        as_map(item.get("Tags")),
    )


@changes
def apply_role(
    site: Site, role: Role, found: Found[Role] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the role, then put in place what differs; every call may be repeated."""
    iam = site.client("iam", role)
    attributes = {change.attribute for change in changed}
    arn = found.arn if found else _create(site, iam, role)
    if found and "trust" in attributes:
        iam.update_assume_role_policy(RoleName=role.name, PolicyDocument=role.trust)
    if role.policy and (not found or "policy" in attributes):
        iam.put_role_policy(RoleName=role.name, PolicyName=INLINE, PolicyDocument=role.policy)
    have = set(found.resource.managed) if found else set()
    for policy in sorted(set(role.managed) - have):
        iam.attach_role_policy(RoleName=role.name, PolicyArn=policy)
    for policy in sorted(have - set(role.managed)):
        iam.detach_role_policy(RoleName=role.name, PolicyArn=policy)
    for name in found.resource.strange if found else ():
        iam.delete_role_policy(RoleName=role.name, PolicyName=name)
    return Found(role, arn, {"arn": arn}, site.tags(role))


def _create(site: Site, iam: Any, role: Role) -> str:
    answer = iam.create_role(
        RoleName=role.name,
        AssumeRolePolicyDocument=role.trust,
        Description=role.description,
        Tags=site.tag_list(role),
    )
    return str(answer["Role"]["Arn"])


@changes
def delete_role(site: Site, found: Found[Role]) -> None:
    """Detach and delete what the role carries, then the role; each may be gone already."""
    iam = site.client("iam", found.resource)
    name = found.resource.name
    for policy in found.resource.managed:
        _gone(iam.detach_role_policy, RoleName=name, PolicyArn=policy)
    own = (INLINE,) if found.resource.policy else ()
    for policy in (*own, *found.resource.strange):
        _gone(iam.delete_role_policy, RoleName=name, PolicyName=policy)
    _gone(iam.delete_role, RoleName=name)


def _gone(delete: Callable[..., object], **named: str) -> None:
    try:
        delete(**named)
    except ClientError as error:
        if not is_code(error, *MISSING):
            raise
