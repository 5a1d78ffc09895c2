"""DB parameter groups: names and values checked against the server, and brought to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud import parameters
from localcloud.catalogue import Parameter
from localcloud.parameters import Size
from localcloud.rds import events, faults, group_values, parameter_apply
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import ParameterGroup

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_NAME = re.compile(r"[a-z](?:-?[a-z0-9.])*")
_NAME_LIMIT = 255
_AT_ONCE = 20
# Any class serves to see whether a formula gives an allowed value.
_SOME_SIZE = Size(16 * 1024**3, 2)


def shown(group: ParameterGroup) -> dict[str, Any]:
    """Return a group as the API shows it."""
    return {
        "DBParameterGroupName": group.name,
        "DBParameterGroupFamily": group.family,
        "Description": group.description,
        "DBParameterGroupArn": group.arn,
    }


@operation("CreateDBParameterGroup")
def create_db_parameter_group(call: Call) -> Answer:
    """Make an empty group of the one family there is."""
    home = call.home
    name = str(call.need("DBParameterGroupName")).lower()
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        raise faults.invalid_value(
            f"The parameter DBParameterGroupName is not a valid identifier: {name}"
        )
    if name in home.parameter_groups:
        raise faults.Fault(
            "DBParameterGroupAlreadyExists", f"Parameter group {name} already exists"
        )
    family = call.need("DBParameterGroupFamily")
    if family != group_values.family(home):
        raise faults.invalid_value(
            f"ParameterGroupFamily {family} is not a valid parameter group family"
        )
    group = ParameterGroup(
        name, family, call.need("Description"), home.arn("pg", name), list(call.get("Tags", []))
    )
    home.parameter_groups[name] = group
    return {"DBParameterGroup": shown(group)}


@operation("DescribeDBParameterGroups")
def describe_db_parameter_groups(call: Call) -> Answer:
    """All groups of a region with the default one, or one of them."""
    home = call.home
    if call.has("DBParameterGroupName"):
        return {"DBParameterGroups": [shown(_find(home, call.get("DBParameterGroupName")))]}
    group_values.find(home, None)
    groups = home.parameter_groups
    return {"DBParameterGroups": [shown(groups[name]) for name in sorted(groups)]}


def _find(home: Home, name: str) -> ParameterGroup:
    # An ARN is taken where a name is.
    return group_values.find(home, name.rsplit(":", 1)[-1])


def _described(parameter: Parameter, group: ParameterGroup | None) -> dict[str, Any]:
    user = group.values.get(parameter.name) if group else None
    value = user if user is not None else parameter.default
    facts: dict[str, Any] = {
        "ParameterName": parameter.name,
        "Description": parameter.text,
        "Source": "user"
        if user is not None
        else "system"
        if value is not None
        else "engine-default",
        "ApplyType": "static" if parameter.static else "dynamic",
        "DataType": parameter.kind,
        "AllowedValues": parameter.allowed or None,
        "IsModifiable": parameter.modifiable,
        "ApplyMethod": (group.methods.get(parameter.name) if group else None) or "pending-reboot",
    }
    if value is not None:
        facts["ParameterValue"] = value
    return facts


@operation("DescribeDBParameters")
def describe_db_parameters(call: Call) -> Answer:
    """Every parameter of a group: its value, where that is from, when a change applies."""
    group = _find(call.home, call.need("DBParameterGroupName"))
    rows = [_described(item, group) for item in call.home.runtime.catalogue.all()]
    source = call.get("Source")
    return {"Parameters": [row for row in rows if source in (None, row["Source"])]}


@operation("DescribeEngineDefaultParameters")
def describe_engine_default_parameters(call: Call) -> Answer:
    """The parameters of a family as they are without a group."""
    family = call.need("DBParameterGroupFamily")
    if family != group_values.family(call.home):
        raise faults.invalid_value(f"Invalid DB parameter group family: {family}")
    rows = [_described(item, None) for item in call.home.runtime.catalogue.all()]
    return {"EngineDefaults": {"DBParameterGroupFamily": family, "Parameters": rows}}


def _own(call: Call) -> ParameterGroup:
    group = _find(call.home, str(call.need("DBParameterGroupName")))
    if group.name.startswith("default."):
        raise faults.Fault(
            "InvalidDBParameterGroupState",
            f"Cannot modify the default parameter group: {group.name}",
        )
    return group


def _checked(home: Home, given: dict[str, Any]) -> tuple[Parameter, str]:
    name = str(given.get("ParameterName"))
    parameter = home.runtime.catalogue.get(name)
    if parameter is None:
        raise faults.invalid_value(f"Could not find parameter with name: {name}")
    method = str(given.get("ApplyMethod", "pending-reboot"))
    if not parameter.modifiable:
        raise faults.invalid_value(f"The parameter {name} cannot be modified.")
    if parameter.static and method == "immediate":
        raise faults.invalid_combination(
            f"cannot use immediate apply method for static parameter: {name}"
        )
    return parameter, method


@operation("ModifyDBParameterGroup")
def modify_db_parameter_group(call: Call) -> Answer:
    """Set values; dynamic ones reach running servers, static ones wait for a reboot."""
    group = _own(call)
    given = call.get("Parameters", [])
    if not given:
        raise faults.missing("Parameters")
    if len(given) > _AT_ONCE:
        raise faults.invalid_value(f"At most {_AT_ONCE} parameters can be modified in one call.")
    changes = []
    for item in given:
        parameter, method = _checked(call.home, item)
        value = str(item.get("ParameterValue", ""))
        reason = parameters.problem(parameter, value, _SOME_SIZE)
        if reason is not None:
            raise faults.invalid_value(
                f"Invalid parameter value: {value} for: {parameter.name} "
                f"allowed values are: {parameter.allowed} ({reason})"
            )
        changes.append((parameter, value, method))
    for parameter, value, method in changes:
        group.values[parameter.name] = value
        group.methods[parameter.name] = method
    methods = {parameter.name: method for parameter, _, method in changes}
    _announce(call.home, group, methods)
    return {"DBParameterGroupName": group.name}


def _announce(home: Home, group: ParameterGroup, methods: dict[str, str]) -> None:
    for name in methods:
        events.add_other(
            home,
            group.name,
            "db-parameter-group",
            group.arn,
            f"Updated parameter {name} to {group.values.get(name, 'its default')}",
            "configuration change",
        )
    parameter_apply.spread(home, group, methods)


@operation("ResetDBParameterGroup")
def reset_db_parameter_group(call: Call) -> Answer:
    """Take values back: all of them, or those named."""
    group = _own(call)
    if call.get("ResetAllParameters", not call.has("Parameters")):
        catalogue = call.home.runtime.catalogue
        named = {
            name: "pending-reboot"
            if (found := catalogue.get(name)) and found.static
            else "immediate"
            for name in group.values
        }
    else:
        named = {}
        for item in call.get("Parameters", []):
            parameter, method = _checked(call.home, item)
            named[parameter.name] = method
    for name in named:
        group.values.pop(name, None)
        group.methods.pop(name, None)
    _announce(call.home, group, named)
    return {"DBParameterGroupName": group.name}


@operation("DeleteDBParameterGroup")
def delete_db_parameter_group(call: Call) -> Answer:
    """Delete a group that no instance uses."""
    group = _own(call)
    for instance in call.home.instances.values():
        if instance.parameter_group == group.name:
            raise faults.Fault(
                "InvalidDBParameterGroupState",
                "One or more database instances are still members of this parameter group "
                f"{group.name}, so the group cannot be deleted",
            )
    del call.home.parameter_groups[group.name]
    return {}
