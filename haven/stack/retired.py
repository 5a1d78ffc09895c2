"""What promotions have left behind: instances of earlier epochs, and what stands beside each.

It is in no topology: provision neither makes nor misses it. It is kept for people to look into, and
goes with a disposable stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from haven.stack import databases, names
from haven.stack.instance import Instance
from haven.stack.layout import FIRST_EPOCH, RETIRED, Member
from haven.stack.model import Stack
from haven.stack.resource import Resource
from haven.stack.sides import Side, make_side
from haven.stack.topology import alarms, topology
from haven.stack.watch import Alarm, LogGroup


def left_behind(stack: Stack, members: Iterable[Member]) -> list[Member]:
    """Return the instances of a stack that have no place in it any more."""
    kept = {item.name for item in topology(stack) if isinstance(item, Instance)}
    return [item for item in members if item.name not in kept]


def has_led(stack: Stack, member: Member) -> bool:
    """Tell whether an instance was ever the primary; an earlier moment that was not wanted never was."""
    return member.epoch > FIRST_EPOCH or member.name == names.first_primary(stack)


def retired(stack: Stack, members: Iterable[Member]) -> tuple[Resource, ...]:
    """Describe what is left behind, with its alarms, log groups and copies of backups."""
    found = left_behind(stack, members)
    addresses = {item.name: f"instance/{item.region}/{item.name}" for item in found}
    sides = {
        side.region: side for side in (make_side(stack, recovery=far) for far in (False, True))
    }
    return tuple(
        resource
        for member in found
        for resource in _one(stack, member, sides, addresses.get(_source(member), ""))
    )


def stale_alarms(stack: Stack, members: Iterable[Member]) -> list[Alarm]:
    """Describe the alarms that have lost their meaning: of what is left behind, and the primary's lag."""
    primary = next(
        item for item in topology(stack) if isinstance(item, Instance) and not item.source
    )
    kept = {item.address for item in topology(stack)}
    of_retired = [item for item in retired(stack, members) if isinstance(item, Alarm)]
    of_replica = alarms(stack, replace(primary, source="x"), "")
    return [item for item in (*of_retired, *of_replica) if item.address not in kept]


def _source(member: Member) -> str:
    return member.source.rsplit(":", 1)[-1]


def _one(
    stack: Stack, member: Member, sides: Mapping[str, Side], source: str
) -> Iterator[Resource]:
    here = sides[member.region]
    there = next(side for side in sides.values() if side.region != member.region)
    instance = _described(stack, member, here, source)
    yield instance
    yield LogGroup(
        name=databases.log_group(instance.name),
        region=instance.region,
        role="log",
        retention_days=stack.database.log_retention_days,
    )
    yield from alarms(stack, replace(instance, source="x"), here.topic.output("arn"))
    yield databases.backup_replication(stack, instance, there)


def _described(stack: Stack, member: Member, side: Side, source: str) -> Instance:
    """Describe it by what it stands on; the rest is as of the primary."""
    model = next(item for item in topology(stack) if isinstance(item, Instance))
    return replace(
        model,
        name=member.name,
        region=member.region,
        role=RETIRED,
        source=member.source,
        after=(source,) if source else (),
        subnet_group=side.subnet_group.output("name"),
        parameter_group=databases.group_of(stack, side, member.name).output("name"),
        security_groups=(side.quarantine_group.output("id"), side.database_group.output("id")),
        key=side.key_arn,
    )
