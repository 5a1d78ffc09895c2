"""From what is wanted and what was found to a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haven.errors import Conflict
from haven.plan import HAZARD_OF_COST, Change, Plan, Step, Verb, fingerprint, in_order
from haven.stack import names
from haven.stack.model import Stack
from haven.stack.resource import Found, Resource, differences, shown

Observed = Mapping[str, Found[Resource]]


def plan_stack(stack: Stack, resources: Iterable[Resource], observed: Observed) -> Plan:
    """Return the steps from ``observed`` to ``resources``, each after what it needs.

    Raises ``Conflict`` when something with one of our names is not ours.
    """
    known = {address: found.outputs for address, found in observed.items()}
    steps = []
    for resource in resources:
        wanted = resource.resolve(known)
        found = observed.get(resource.address)
        if found is None:
            steps.append(_create(wanted, resource.needs))
            continue
        refuse_foreign(stack, resource, found)
        changes = differences(wanted, found.resource) + _tag_changes(stack, resource, found)
        if changes:
            steps.append(_update(wanted, changes, resource.needs))
    return Plan(in_order(steps), fingerprint({key: str(item) for key, item in observed.items()}))


def refuse_foreign(stack: Stack, resource: Resource, found: Found[Resource]) -> None:
    """Raise ``Conflict`` unless the resource carries this stack's tag, or cannot carry any."""
    owner = owner_of(found)
    if not resource.tagged or owner == stack.prefix:
        return
    whose = f"belongs to the stack '{owner}'" if owner else f"has no tag {names.TAG_STACK}"
    raise Conflict(
        f"{resource.address} exists already and {whose}; this stack is '{stack.prefix}' "
        f"({found.arn}).",
        left="It was not touched.",
        cure="Rename one of them, or, if it is meant to be ours and has no tag, run 'haven adopt'.",
    )


def owner_of(found: Found[Resource]) -> str | None:
    """Return the stack that a resource's tag names, None where it has no such tag."""
    return (found.tags or {}).get(names.TAG_STACK)


def _create(wanted: Resource, needs: tuple[str, ...]) -> Step:
    return Step(Verb.CREATE, wanted.address, "it does not exist", needs=needs)


def _update(wanted: Resource, changes: tuple[Change, ...], needs: tuple[str, ...]) -> Step:
    hazards = {HAZARD_OF_COST[item.cost] for item in changes if item.cost in HAZARD_OF_COST}
    attributes = ", ".join(change.attribute for change in changes)
    return Step(
        Verb.UPDATE,
        wanted.address,
        f"{attributes} differ" if len(changes) > 1 else f"{attributes} differs",
        changes,
        tuple(sorted(hazards)),
        needs,
    )


def missing_tags(stack: Stack, resource: Resource, found: Found[Resource]) -> dict[str, str]:
    """Return those of our tags that a resource should carry and does not."""
    have = found.tags or {}
    wanted = names.tags(stack, resource.role) | dict(resource.marks) if resource.tagged else {}
    return {key: value for key, value in wanted.items() if have.get(key) != value}


def _tag_changes(stack: Stack, resource: Resource, found: Found[Resource]) -> tuple[Change, ...]:
    wrong = missing_tags(stack, resource, found)
    if not wrong:
        return ()
    have = found.tags or {}
    return (Change("tags", shown(wrong), shown({key: have.get(key) for key in wrong})),)
