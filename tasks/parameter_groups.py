"""RDS: DB parameter groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import first_sentence, is_code
from haven.errors import InvalidRequest
from haven.plan import Change
from haven.stack import names
from haven.stack.parameter_group import ParameterGroup
from haven.stack.resource import Found, Resource
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, only

MISSING = ("DBParameterGroupNotFound", "DBParameterGroupNotFoundFault")
WRONG = ("InvalidParameterValue", "InvalidParameterCombination")
BATCH = 20


@looks
def observe_parameter_groups(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read what is set in each parameter group of the stack."""
    rds = site.cloud.client("rds", region)
    found: dict[str, Found[Resource]] = {}
    for group in only(ParameterGroup, wanted):
        try:
            parameters = _parameters(rds, group.name, Source="user")
        except ClientError as error:
            if is_code(error, *MISSING):
                continue
            raise
        values = {
            item["ParameterName"]: item["ParameterValue"]
            for item in parameters
            if "ParameterValue" in item
        }
        found[group.address] = _found(site, group, values)
    return found


def _found(site: Site, group: ParameterGroup, values: Mapping[str, str]) -> Found[Resource]:
    return Found(
        ParameterGroup(
            name=group.name,
            region=group.region,
            description=group.description,
            family=group.family,
            parameters=tuple(sorted(values.items())),
        ),
        names.rds_arn(site.stack, group.region, "pg", group.name),
        {"name": group.name},
    )


def _parameters(rds: Any, name: str, **arguments: str) -> list[dict[str, Any]]:
    pages = rds.get_paginator("describe_db_parameters").paginate(
        DBParameterGroupName=name, **arguments
    )
    return [item for page in pages for item in page["Parameters"]]


@changes
def apply_parameter_group(
    site: Site,
    group: ParameterGroup,
    found: Found[ParameterGroup] | None,
    _: Sequence[Change],
) -> Found[Resource]:
    """Make the group, set what differs and reset what is set besides."""
    rds = site.client("rds", group)
    have = dict(found.resource.parameters) if found else {}
    if not found:
        rds.create_db_parameter_group(
            DBParameterGroupName=group.name,
            DBParameterGroupFamily=group.family,
            Description=group.description,
            Tags=site.tag_list(group),
        )
    wanted = dict(group.parameters)
    methods = _methods(rds, group) if found else {}
    setting = {name: value for name, value in wanted.items() if have.get(name) != value}
    resetting = {name: "" for name in have if name not in wanted}
    try:
        _in_batches(rds.modify_db_parameter_group, group.name, _entries(setting, methods))
        _in_batches(rds.reset_db_parameter_group, group.name, _entries(resetting, methods))
    except ClientError as error:
        if is_code(error, *WRONG):
            raise _wrong(group, error) from error
        raise
    return _found(site, group, wanted)


def _methods(rds: Any, group: ParameterGroup) -> dict[str, str]:
    """Return how each parameter is applied: a static one waits for a reboot.

    In a group that no instance uses yet, waiting for a reboot is right for all of them.
    """
    return {
        item["ParameterName"]: "immediate"
        if item.get("ApplyType") == "dynamic"
        else "pending-reboot"
        for item in _parameters(rds, group.name)
    }


def _wrong(group: ParameterGroup, error: ClientError) -> InvalidRequest:
    return InvalidRequest(
        f"{group.address} cannot be as the stack wants it: {first_sentence(error)}.",
        left="The group exists; the parameter was not set.",
        cure="Mend [database.parameters] in the stack file.",
    )


def _entries(values: Mapping[str, str], methods: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"ParameterName": name, "ApplyMethod": methods.get(name, "pending-reboot")}
        | ({"ParameterValue": value} if value else {})
        for name, value in sorted(values.items())
    ]


def _in_batches(call: Any, name: str, entries: list[dict[str, str]]) -> None:
    for start in range(0, len(entries), BATCH):
        call(DBParameterGroupName=name, Parameters=entries[start : start + BATCH])


@changes
def delete_parameter_group(site: Site, found: Found[ParameterGroup]) -> None:
    """Delete the group."""
    try:
        site.client("rds", found.resource).delete_db_parameter_group(
            DBParameterGroupName=found.resource.name
        )
    except ClientError as error:
        if not is_code(error, *MISSING):
            raise
