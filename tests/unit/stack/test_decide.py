"""From wanted and found to a plan, as rows."""

import dataclasses

import pytest

from haven.errors import Conflict, Refused
from haven.plan import Hazard, Step, Verb, gate, in_order
from haven.stack import names
from haven.stack.decide import plan_stack
from haven.stack.model import Stack
from haven.stack.resource import Found
from haven.stack.topology import topology

STACK = Stack(environment="test", account="123456789012")
RESOURCES = topology(STACK)


def everything(**tags):
    """Return the whole stack as if it existed exactly as wanted."""
    known = {
        item.address: {
            output: f"{output}-of-{item.name}"
            for output in ("arn", "id", "name", "vpc", "subnets", "host", "replica_arn")
        }
        for item in RESOURCES
    }
    return {
        item.address: Found(
            item.resolve(known),
            f"arn:{item.address}",
            known[item.address],
            names.tags(STACK, item.role) | tags,
        )
        for item in RESOURCES
    }


def test_a_stack_as_wanted_needs_nothing():
    assert plan_stack(STACK, RESOURCES, everything()).steps == ()


def test_an_empty_account_needs_everything_each_after_what_it_needs():
    plan = plan_stack(STACK, RESOURCES, {})
    assert len(plan.steps) == len(RESOURCES)
    seen: set[str] = set()
    for step in plan.steps:
        assert seen.issuperset(need for need in step.needs if "/" in need)
        seen.add(step.subject)
    assert {step.verb for step in plan.steps} == {Verb.CREATE}


@pytest.mark.parametrize(
    ("kind", "changes", "attribute", "hazards"),
    [
        ("instance", {"multi_az": False}, "multi_az", ()),
        ("instance", {"instance_class": "db.x.y"}, "instance_class", (Hazard.OUTAGE,)),
        ("instance", {"parameters_applied": False}, "parameters_applied", (Hazard.REBOOT,)),
        ("instance", {"key": "x"}, "key", (Hazard.REPLACES,)),
        ("bucket", {"private": False}, "private", ()),
        ("bucket", {"policy": ""}, "policy", ()),
        ("alarm", {"threshold": 1.0}, "threshold", ()),
        ("proxy", {"require_tls": False}, "require_tls", ()),
        ("log-group", {"retention_days": 0}, "retention_days", ()),
        ("record", {"target": "elsewhere"}, "target", ()),
        ("key", {"rotation_days": 0}, "rotation_days", ()),
        ("secret-host", {"host": "old"}, "host", ()),
        ("topic", {"emails": ()}, "emails", ()),
        ("role", {"managed": ("x",)}, "managed", ()),
        ("zone", {"whole": False}, "whole", ()),
    ],
)
def test_drift_is_one_step_that_names_the_attribute_and_its_hazard(
    kind, changes, attribute, hazards
):
    observed = everything()
    address = next(item for item in observed if item.startswith(f"{kind}/") and "state" not in item)
    if kind == "instance":
        address = f"instance/us-east-1/{names.primary(STACK)}"
    found = observed[address]
    observed[address] = dataclasses.replace(
        found, resource=dataclasses.replace(found.resource, **changes)
    )
    (step,) = plan_stack(STACK, RESOURCES, observed).steps
    assert (step.verb, step.subject) == (Verb.UPDATE, address)
    assert [change.attribute for change in step.changes] == [attribute]
    assert step.hazards == hazards


def test_a_missing_tag_of_ours_is_drift():
    observed = everything(**{names.TAG_MANAGED_BY: "somebody"})
    steps = plan_stack(STACK, RESOURCES, observed).steps
    assert {change.attribute for step in steps for change in step.changes} == {"tags"}
    assert len(steps) == sum(1 for item in RESOURCES if item.tagged)


@pytest.mark.parametrize("owner", ["another-stack", None])
def test_our_name_on_what_is_not_ours_is_a_conflict(owner):
    observed = everything()
    address = f"key/us-east-1/{STACK.prefix}"
    tags = {names.TAG_STACK: owner} if owner else {}
    observed[address] = dataclasses.replace(observed[address], tags=tags)
    with pytest.raises(Conflict, match=address) as caught:
        plan_stack(STACK, RESOURCES, observed)
    assert "was not touched" in str(caught.value)


def test_the_fingerprint_follows_what_was_observed():
    one = plan_stack(STACK, RESOURCES, everything()).fingerprint
    observed = everything()
    observed.popitem()
    assert plan_stack(STACK, RESOURCES, observed).fingerprint != one


def hazardous(hazard):
    return plan_stack(STACK, RESOURCES, everything()).__class__(
        (Step(Verb.UPDATE, "a", "b", hazards=(hazard,)),), ""
    )


@pytest.mark.parametrize("hazard", [Hazard.REBOOT, Hazard.OUTAGE, Hazard.DELETES_DATA])
def test_a_hazard_is_refused_until_it_is_accepted_by_name(hazard):
    with pytest.raises(Refused, match=f"accept={hazard}"):
        gate(hazardous(hazard), [])
    gate(hazardous(hazard), [hazard])


def test_a_replacement_is_never_accepted():
    with pytest.raises(Refused, match="replaced"):
        gate(hazardous(Hazard.REPLACES), list(Hazard))


def test_a_circle_is_an_error():
    steps = [Step(Verb.CREATE, "a", "", needs=("b",)), Step(Verb.CREATE, "b", "", needs=("a",))]
    with pytest.raises(ValueError, match="a, b"):
        in_order(steps)
