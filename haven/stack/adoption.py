"""Taking over what exists already: whose it is, how it differs, which tags it would get. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from haven.errors import Refused
from haven.plan import Change, Plan, Step, Verb, fingerprint
from haven.stack.decide import Observed, missing_tags, owner_of
from haven.stack.model import Stack
from haven.stack.resource import Found, Resource, differences


class Standing(StrEnum):
    """What a resource of the stack file is in the account."""

    ABSENT = "absent"
    OURS = "ours"
    UNTAGGED = "untagged"
    FOREIGN = "foreign"
    UNTAGGABLE = "goes with its owner"


@dataclass(frozen=True, slots=True)
class Finding:
    """One resource of the stack file: whose it is, what differs, which tags it lacks.

    ``owner`` is the stack that its tag names, empty where there is no such tag.
    """

    address: str
    standing: Standing
    arn: str = ""
    owner: str = ""
    differs: tuple[Change, ...] = ()
    tags: tuple[Change, ...] = ()


def find_all(
    stack: Stack, resources: Iterable[Resource], observed: Observed
) -> tuple[Finding, ...]:
    """Return a finding per resource, in the order given.

    What differs is what a plan would show once the resource is ours.
    """
    known = {address: found.outputs for address, found in observed.items()}
    return tuple(
        _find(stack, resource, observed.get(resource.address), known) for resource in resources
    )


def _find(
    stack: Stack,
    resource: Resource,
    found: Found[Resource] | None,
    known: Mapping[str, Mapping[str, str]],
) -> Finding:
    if found is None:
        return Finding(resource.address, Standing.ABSENT)
    standing = _standing(stack, resource, found)
    return Finding(
        resource.address,
        standing,
        found.arn,
        owner_of(found) or "",
        differences(resource.resolve(known), found.resource),
        () if standing is Standing.FOREIGN else _tags(stack, resource, found),
    )


def _tags(stack: Stack, resource: Resource, found: Found[Resource]) -> tuple[Change, ...]:
    have = found.tags or {}
    return tuple(
        Change(key, value, have.get(key, "nothing"))
        for key, value in missing_tags(stack, resource, found).items()
    )


def _standing(stack: Stack, resource: Resource, found: Found[Resource]) -> Standing:
    if not resource.tagged:
        return Standing.UNTAGGABLE
    owner = owner_of(found)
    if owner is None:
        return Standing.UNTAGGED
    return Standing.OURS if owner == stack.prefix else Standing.FOREIGN


def plan_adoption(findings: Sequence[Finding]) -> Plan:
    """Return a step per resource that lacks a tag; no step needs another."""
    steps = [
        Step(
            Verb.TAG,
            finding.address,
            "it is to be ours" if finding.standing is Standing.UNTAGGED else "a tag is missing",
            finding.tags,
        )
        for finding in findings
        if finding.tags
    ]
    return Plan(tuple(steps), fingerprint([str(finding) for finding in findings]))


def refuse_other_stacks(stack: Stack, findings: Sequence[Finding]) -> None:
    """Refuse to take anything over while one of our names belongs to another stack."""
    foreign = [finding for finding in findings if finding.standing is Standing.FOREIGN]
    if foreign:
        listed = "; ".join(f"{item.address} belongs to '{item.owner}'" for item in foreign)
        raise Refused(
            f"The stack '{stack.prefix}' cannot be taken over: {listed}.",
            left="Nothing was touched.",
            cure="Rename one of the two stacks; what belongs to a stack is never taken from it.",
        )
