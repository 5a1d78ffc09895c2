"""What is found of a stack that something else built, as rows."""

import dataclasses

import pytest

from haven.errors import Refused
from haven.plan import Verb
from haven.stack import names
from haven.stack.adoption import Standing, find_all, plan_adoption, refuse_other_stacks
from haven.stack.model import Stack
from haven.stack.resource import Found
from haven.stack.topology import topology

STACK = Stack(environment="test", account="123456789012")
TOPIC = next(item for item in topology(STACK) if item.kind == "topic")
RULES = next(item for item in topology(STACK) if item.kind == "security-rules")
OURS = names.tags(STACK, TOPIC.role)
OUTPUTS = {
    f"key/us-east-1/{STACK.prefix}": Found(TOPIC, "", {"arn": "the-key"}),
}


def find(resource, tags, **changes):
    known = {address: found.outputs for address, found in OUTPUTS.items()}
    seen = dataclasses.replace(resource.resolve(known), **changes)
    observed = OUTPUTS | {resource.address: Found(seen, "arn:it", {"id": "sg-1"}, tags)}
    (finding,) = find_all(STACK, [resource], observed)
    return finding


@pytest.mark.parametrize(
    ("tags", "standing", "owner", "lacks"),
    [
        ({}, Standing.UNTAGGED, "", set(OURS)),
        (None, Standing.UNTAGGED, "", set(OURS)),
        ({"Environment": "production"}, Standing.UNTAGGED, "", set(OURS)),
        (
            {names.TAG_MANAGED_BY: "haven"},
            Standing.UNTAGGED,
            "",
            set(OURS) - {names.TAG_MANAGED_BY},
        ),
        (OURS, Standing.OURS, STACK.prefix, set()),
        (OURS | {names.TAG_ROLE: "x"}, Standing.OURS, STACK.prefix, {names.TAG_ROLE}),
        (OURS | {names.TAG_STACK: "other"}, Standing.FOREIGN, "other", set()),
    ],
)
def test_tags_tell_whose_it_is_and_which_it_lacks(tags, standing, owner, lacks):
    finding = find(TOPIC, tags)
    assert (finding.standing, finding.owner) == (standing, owner)
    assert {change.attribute for change in finding.tags} == lacks
    assert {change.attribute: change.wanted for change in finding.tags} == {
        key: OURS[key] for key in lacks
    }
    assert finding.differs == ()


def test_what_does_not_exist_is_absent_and_gets_nothing():
    findings = find_all(STACK, topology(STACK), {})
    assert {finding.standing for finding in findings} == {Standing.ABSENT}
    assert plan_adoption(findings).steps == ()


def test_what_cannot_carry_tags_goes_with_its_owner():
    finding = find(RULES, None)
    assert (finding.standing, finding.tags) == (Standing.UNTAGGABLE, ())


def test_a_setting_that_differs_is_shown_and_not_set():
    finding = find(TOPIC, {}, key="another-key")
    assert [change.attribute for change in finding.differs] == ["key"]
    (step,) = plan_adoption([finding]).steps
    assert step.verb is Verb.TAG
    assert {change.attribute for change in step.changes} == set(OURS)


def test_a_tag_that_is_wrong_is_shown_with_what_it_was():
    (change,) = find(TOPIC, OURS | {names.TAG_ROLE: "x"}).tags
    assert (change.wanted, change.found) == (TOPIC.role, "x")


def test_what_is_ours_whole_needs_no_step():
    assert plan_adoption([find(TOPIC, OURS)]).steps == ()


def test_another_stacks_resource_is_refused_by_name():
    findings = [find(TOPIC, {}), find(TOPIC, OURS | {names.TAG_STACK: "other"})]
    with pytest.raises(Refused, match=f"{TOPIC.address} belongs to 'other'"):
        refuse_other_stacks(STACK, findings)
    refuse_other_stacks(STACK, findings[:1])
