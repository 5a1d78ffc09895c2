"""After what a diff asks for was done, the next diff asks for nothing."""

import dataclasses
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from haven.plan import Cost, Verb
from haven.stack import names
from haven.stack.database import (
    EVERYONE,
    EXTENSIONS,
    NONE,
    ROLES,
    DatabaseChange,
    DatabaseState,
    RoleState,
    database_changes,
)
from haven.stack.decide import plan_stack
from haven.stack.model import Stack
from haven.stack.resource import Found, Resource, canonical, unresolved
from haven.stack.topology import topology

STACK = Stack(environment="test", account="123456789012")
RESOURCES = topology(STACK)
OUTPUTS = ("arn", "id", "name", "vpc", "subnets", "host", "replica_arn")
KNOWN = {item.address: {out: f"{out}-of-{item.name}" for out in OUTPUTS} for item in RESOURCES}
ADDRESSES = sorted(KNOWN)
NEEDS = {item.address: item.needs for item in RESOURCES}

role_names = st.sampled_from([role.name for role in ROLES])
grantees = st.sampled_from([EVERYONE, "somebody", *(role.name for role in ROLES)])
settings_found = st.dictionaries(
    st.sampled_from(["search_path", "jit", "lock_timeout", "work_mem", "my.own"]),
    st.sampled_from(["off", "5s", "haven_health, public", "public"]),
)
roles_found = st.builds(
    RoleState,
    login=st.booleans(),
    inherit=st.booleans(),
    powers=st.sets(st.sampled_from(["CREATEROLE", "CREATEDB"])).map(
        lambda item: tuple(sorted(item))
    ),
    settings=settings_found,
    member_of=st.dictionaries(st.sampled_from([*(r.name for r in ROLES), "x"]), st.booleans()),
)
states = st.builds(
    DatabaseState,
    roles=st.dictionaries(role_names, roles_found),
    extensions=st.frozensets(st.sampled_from([*EXTENSIONS, "plpgsql"])),
    database=st.frozensets(
        st.tuples(grantees, st.sampled_from(["CONNECT", "CREATE", "TEMPORARY"]))
    ),
    schema=st.frozensets(st.tuples(grantees, st.sampled_from(["CREATE", "USAGE"]))),
)


@given(states)
def test_a_database_that_was_put_right_needs_nothing(found):
    state = found
    for change in database_changes(found):
        state = done(state, change)
    assert database_changes(state) == ()


@given(states)
def test_what_is_not_ours_is_not_changed(found):
    assert not [change for change in database_changes(found) if "somebody" in change.attribute]


def done(state: DatabaseState, change: DatabaseChange) -> DatabaseState:
    """Return the state after a change, as PostgreSQL would have it."""
    kind, _, name = change.subject.partition("/")
    if kind == "extension":
        return dataclasses.replace(state, extensions=state.extensions | {name})
    if kind == "role":
        before = state.roles.get(name, RoleState(login=False, inherit=True))
        return dataclasses.replace(state, roles={**state.roles, name: role_done(before, change)})
    privilege, _, grantee = change.attribute.partition(" to ")
    grants = state.database if kind == "database" else state.schema
    assert ((grantee, privilege) in grants) == (change.wanted == NONE)
    grants = grants ^ {(grantee, privilege)}
    if kind == "database":
        return dataclasses.replace(state, database=grants)
    return dataclasses.replace(state, schema=grants)


def role_done(role: RoleState, change: DatabaseChange) -> RoleState:
    verb, _, rest = change.attribute.partition(" ")
    if verb == "setting":
        rest_of = {key: value for key, value in role.settings.items() if key != rest}
        added = {} if change.wanted == NONE else {rest: change.wanted}
        return dataclasses.replace(role, settings=rest_of | added)
    if verb == "member":
        group = rest.removeprefix("of ")
        others = {key: value for key, value in role.member_of.items() if key != group}
        added_to = {} if change.wanted == NONE else {group: change.wanted == "inherited"}
        return dataclasses.replace(role, member_of=others | added_to)
    if verb in {"LOGIN", "INHERIT"}:
        flag: dict[str, bool] = {verb.lower(): change.wanted == "yes"}
        return dataclasses.replace(role, **flag)  # type: ignore[arg-type]  # two booleans
    powers = tuple(power for power in role.powers if power != verb)
    return dataclasses.replace(role, powers=powers)


def as_wanted() -> dict[str, Found[Resource]]:
    return {
        item.address: Found(
            item.resolve(KNOWN),
            f"arn:{item.address}",
            KNOWN[item.address],
            names.tags(STACK, item.role),
        )
        for item in RESOURCES
    }


# Addresses that are gone; and of those that are there, which tag is lost and which flags are wrong.
damages = st.tuples(
    st.sets(st.sampled_from(ADDRESSES), max_size=6),
    st.dictionaries(
        st.sampled_from(ADDRESSES),
        st.tuples(st.sampled_from([names.TAG_ROLE, names.TAG_MANAGED_BY]), st.integers(0, 63)),
        max_size=6,
    ),
)


def damaged_stack(
    damage: tuple[set[str], dict[str, tuple[str, int]]],
) -> dict[str, Found[Resource]]:
    gone, wrong = damage
    return {
        address: damaged(found, *wrong[address]) if address in wrong else found
        for address, found in as_wanted().items()
        if address not in gone
    }


def damaged(found: Found[Resource], tag: str, mask: int) -> Found[Resource]:
    tags = {key: value for key, value in (found.tags or {}).items() if key != tag}
    fields = [item.name for item in dataclasses.fields(found.resource) if "same" in item.metadata]
    flags = [name for name in fields if isinstance(getattr(found.resource, name), bool)]
    changes: dict[str, Any] = {
        name: not getattr(found.resource, name)
        for place, name in enumerate(flags)
        if mask >> place & 1
    }
    return dataclasses.replace(
        found, tags=tags, resource=dataclasses.replace(found.resource, **changes)
    )


@given(damages)
def test_a_stack_that_was_put_right_needs_nothing(damage):
    observed = damaged_stack(damage)
    plan = plan_stack(STACK, RESOURCES, observed)
    wanted = as_wanted()
    repaired = observed | {step.subject: wanted[step.subject] for step in plan.steps}
    assert repaired == wanted or set(repaired) == set(wanted)
    assert plan_stack(STACK, RESOURCES, repaired).steps == ()


@given(damages)
def test_only_what_is_damaged_or_stands_on_it_has_a_step(damage):
    observed = damaged_stack(damage)
    wanted = as_wanted()
    plan = plan_stack(STACK, RESOURCES, observed)
    for step in plan.steps:
        if step.subject not in observed:
            assert step.verb is Verb.CREATE
        elif observed[step.subject] == wanted[step.subject]:
            assert any(need not in observed for need in NEEDS[step.subject])
    assert {item for item in wanted if item not in observed} <= {s.subject for s in plan.steps}


@given(damages)
def test_a_plan_depends_on_nothing_but_what_was_observed(damage):
    observed = damaged_stack(damage)
    turned = dict(reversed(observed.items()))
    one, other = (plan_stack(STACK, RESOURCES, item) for item in (observed, turned))
    assert one == other
    assert all(change.cost in Cost for step in one.steps for change in step.changes)


@given(damages)
def test_with_everything_there_no_reference_is_left(damage):
    observed = damaged_stack(damage)
    known = {address: found.outputs for address, found in observed.items()}
    for item in RESOURCES:
        left = [
            value
            for value in dataclasses.astuple(item.resolve(known))
            if isinstance(value, str) and unresolved(value)
        ]
        assert not left or any(need not in observed for need in item.needs)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(values, st.randoms(use_true_random=False))
def test_json_means_the_same_in_another_order(value, random):
    text = json.dumps(shuffled(value, random))
    assert canonical(text) == canonical(json.dumps(value))
    assert canonical(canonical(text)) == canonical(text)


def shuffled(value, random):
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(item, random) for key, item in items}
    if isinstance(value, list):
        items = [shuffled(item, random) for item in value]
        random.shuffle(items)
        return items
    return value


def test_the_order_of_keys_does_not_order_the_list_around_them():
    one, other = '[{"a": 1, "z": 2}, {"m": 3}]', '[{"z": 2, "a": 1}, {"m": 3}]'
    assert canonical(one) == canonical(other)
