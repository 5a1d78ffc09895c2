"""After the switch: what is left behind is put out of reach, and the new primary is protected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flows.frame import Run
from flows.logins import prove_logins
from flows.models import planned
from flows.observation import observe_stack
from flows.promotion_switch import Switch
from flows.provision import ProvisionReport, carry_out
from haven.errors import HavenError, InvalidRequest
from haven.plan import HAZARD_OF_COST, Plan, Step, Verb
from haven.promotion.choice import Mode
from haven.stack import names
from haven.stack.backup_replication import BackupReplication
from haven.stack.bucket import Bucket
from haven.stack.decide import plan_stack
from haven.stack.dns import Record, Zone
from haven.stack.layout import RETIRED, Member
from haven.stack.model import Stack
from haven.stack.resource import Found, Resource
from haven.stack.retired import has_led, left_behind, stale_alarms
from haven.stack.role import Role
from haven.stack.secret import Pointer, Secret
from haven.stack.sides import make_side
from haven.stack.topology import topology
from tasks.members import move_member, tag_member, untag_member, wait_moved
from tasks.secrets import free_secrets
from tasks.snapshots import make_snapshot
from tasks.watches import delete_alarm

SNAPSHOT_ROLE = "restore-point"


def retire(switch: Switch) -> None:
    """Take the old primary and its other replicas out of everybody's reach; they are kept.

    They cannot follow the new primary, and what they show stands still.
    """
    for member in left_behind(switch.after.loaded.stack, switch.before.sight.members):
        try:
            quarantine(switch.before, member)
        except HavenError as error:
            switch.report.not_done.append(
                f"{member.name} is not in quarantine ({error.what}): run promote-replica with "
                "mode=fence until it is"
            )
        else:
            switch.report.fence.append(f"{member.name}: only workers of Haven reach it")
            if is_closed(switch, member):
                epoch = str(switch.mark.epoch)
                tag_member(switch.before.site, member, {names.TAG_FENCED: epoch})


def is_closed(switch: Switch, member: Member) -> bool:
    """Tell whether it is the primary that was closed before the switch."""
    was_primary = (
        not member.source
        and member.epoch == switch.mark.epoch - 1
        and has_led(switch.before.loaded.stack, member)
    )
    return was_primary and switch.mark.mode is not Mode.EMERGENCY


def quarantine(run: Run, member: Member) -> None:
    """Say that an instance is retired, and let nobody but workers of Haven reach it."""
    tag_member(run.site, member, {names.TAG_ROLE: RETIRED})
    wait_moved(run.site, member, move_to_quarantine(run, member))


def move_to_quarantine(run: Run, member: Member) -> str:
    """Ask RDS to let nobody but workers of Haven reach an instance; return the security group."""
    group = _quarantine_group(run, member)
    move_member(run.site, member, group)
    return group


def _quarantine_group(run: Run, member: Member) -> str:
    stack = run.loaded.stack
    side = make_side(stack, recovery=member.region != stack.region)
    found = observe_stack(run, [side.quarantine_group]).get(side.quarantine_group.address)
    if found is None:
        raise InvalidRequest(
            f"The security group {side.quarantine_group.name} is missing in {member.region}.",
            cure="Run provision, which makes it.",
        )
    return found.outputs["id"]


def protect(switch: Switch) -> None:
    """Bring everything else to what the stack needs now: backups, replicas, secrets, alarms.

    What would cost the new primary a reboot or an outage is left to a person, and told.
    """
    run = switch.after
    stack = run.loaded.stack
    resources = _within_reach(switch, topology(stack))
    secrets = [item.name for item in resources if isinstance(item, Secret | Pointer)]
    free_secrets(run.site, stack.region, secrets)
    observed = _granted(stack) | observe_stack(run, resources)
    plan = plan_stack(stack, resources, observed)
    harmless = Plan(tuple(_harmless(plan.steps)), plan.fingerprint)
    switch.report.steps += planned(harmless)
    switch.record.changes += [f"{step.verb} {step.subject}" for step in harmless.steps]
    told = ProvisionReport(operation="provision", stack=stack.prefix, dry_run=False)
    carry_out(run, switch.record, harmless, resources, observed, told)
    switch.report.not_done += list(_left(plan.steps))
    prove_logins(run, observed)


def silence(switch: Switch) -> None:
    """Remove the alarms of what is left behind, which would never be quiet again."""
    run = switch.after
    unseen = run.site.unseen
    stale = [
        item
        for item in stale_alarms(run.loaded.stack, run.sight.members)
        if item.region not in unseen
    ]
    there = observe_stack(run, stale)
    for item in stale:
        if item.address in there:
            delete_alarm(run.site, Found(item, ""))


# What stands in both regions at once, or is kept by the region that may be the lost one.
_OF_BOTH = (BackupReplication, Bucket, Role, Zone, Record)


def _within_reach(switch: Switch, resources: Sequence[Resource]) -> Sequence[Resource]:
    """Leave out what a region that does not answer has a part in."""
    unseen = switch.before.site.unseen
    if not unseen:
        return resources
    switch.report.not_done.append(
        f"what stands in {', '.join(sorted(unseen))}, and what is copied there: haven run provision, "
        "once it answers again"
    )
    return [
        item for item in resources if item.region not in unseen and not isinstance(item, _OF_BOTH)
    ]


def _granted(stack: Stack) -> dict[str, Found[Resource]]:
    """Return the roles, which are everywhere and whose names say all that others ask of them."""
    return {
        item.address: Found(item, arn, {"arn": arn})
        for item in topology(stack)
        if isinstance(item, Role)
        for arn in (f"arn:aws:iam::{stack.account}:role/{item.name}",)
    }


def _harmless(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        changes = tuple(item for item in step.changes if item.cost not in HAZARD_OF_COST)
        if changes or step.verb is Verb.CREATE:
            yield replace(step, changes=changes, hazards=())


def _left(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.hazards:
            costly = [item.sentence() for item in step.changes if item.cost in HAZARD_OF_COST]
            accepted = " ".join(f"--param accept={hazard}" for hazard in step.hazards)
            yield f"{step.subject}: {'; '.join(costly)}: haven run provision {accepted}"


def save(switch: Switch) -> None:
    """Take a first snapshot of the new primary."""
    stack, member = switch.after.loaded.stack, switch.candidate
    name = f"{stack.prefix}-promotion-e{switch.mark.epoch}"
    tags = names.tags(stack, SNAPSHOT_ROLE)
    make_snapshot(switch.after.site, member.region, member.name, name, tags)
    switch.record.facts["snapshot"] = name


def finish(switch: Switch) -> None:
    """Take the mark off: the promotion is over."""
    untag_member(switch.before.site, switch.candidate, names.TAG_PROMOTION)
