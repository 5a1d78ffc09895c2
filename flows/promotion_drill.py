"""The drill: a whole switch-over on copies that are made for it and removed again.

A backup is restored, gets a replica and a proxy of its own, and is switched over as the stack would
be. Nothing of the stack is changed, which is proved by what AWS says of it before and after.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from flows.endpoints import MASTER
from flows.frame import Run
from flows.observation import observe_stack
from flows.promotion_proxy import follow, proxy_of
from flows.promotion_scene import Scene, Work
from flows.promotion_switch import (
    MIGRATOR,
    Switch,
    drain_candidate,
    fence,
    open_candidate,
    point,
    promote_candidate,
    switch_of,
)
from flows.scratch_copy import Copy, Wish, leftovers, remove_leftovers, run_mark, scratch_copy
from flows.verification_choice import choose_backup
from flows.verification_choice import look as look_at_backups
from flows.verification_models import VerifyParameters
from haven.errors import Failed
from haven.plan import fingerprint
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark
from haven.promotion.steps import Step
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.layout import Member
from haven.stack.proxy import Proxy
from haven.stack.resource import Found, Resource
from haven.stack.scratch import scratch
from haven.stack.topology import topology
from haven.verification.guard import ROLE, Made, scratch_name
from tasks.bootstrap import repair_password
from tasks.drills import keep_backups
from tasks.instances import apply_instance
from tasks.master_password import set_master_password
from tasks.members import read_member
from tasks.proxies import apply_proxy, delete_proxy
from tasks.restores import delete_scratch

USERS = (MIGRATOR, *names.PROXY_ROLES)


def drill(work: Work) -> None:
    """Switch over on copies. Raises ``Failed`` if anything of the stack is not as it was."""
    run, report = work.scene.run, work.report
    before = _inventory(run)
    chosen = choose_backup(run, look_at_backups(run), VerifyParameters())
    report.details.append(f"on copies made from {chosen.what}")
    if work.parameters.dry_run:
        return
    remove_leftovers(run, leftovers(run))
    with (
        work.timeline.lap("restore"),
        scratch_copy(run, work.record, Wish(chosen.origin, recovery=False)) as copy,
    ):
        _switch_over(work, copy)
    after = _inventory(run)
    work.record.facts["stack before and after"] = [before, after]
    if before != after:
        raise Failed(
            "The stack is not as it was before the drill.",
            left="The copies are gone.",
            cure="Look with 'haven plan' what differs, and at who else works on it.",
        )
    report.details.append("nothing of the stack has changed")


def _inventory(run: Run) -> str:
    """Return a fingerprint of all that AWS says of the stack, but for what goes on by itself."""
    observed = observe_stack(run, topology(run.loaded.stack))
    return fingerprint(
        {
            address: [str(_still(found.resource)), sorted((found.tags or {}).items())]
            for address, found in observed.items()
        }
    )


def _still(resource: Resource) -> Resource:
    """An instance may be backing up at either moment."""
    return replace(resource, status="") if isinstance(resource, Instance) else resource


def _switch_over(work: Work, copy: Copy) -> None:
    run = work.scene.run
    with work.timeline.lap("prepare"):
        source = _as_in_production(run, copy)
    with _replica(work, source) as candidate, _proxy(run, source) as proxy:
        scene = Scene(run, source.name, source, (candidate,), None, None)
        mark = Mark(Mode.DRILL, run.loaded.stack.layout.epoch + 1, datetime.now(UTC))
        _measure(switch_of(replace(work, scene=scene), candidate, mark, proxy))


def _measure(switch: Switch) -> None:
    timeline, report = switch.timeline, switch.report
    with timeline.lap(Step.FENCE):
        end = fence(switch)
    with timeline.lap(Step.DRAIN):
        drain_candidate(switch, end)
    with timeline.lap(Step.PROMOTE):
        promote_candidate(switch)
    with timeline.lap(Step.OPEN):
        open_candidate(switch, None)
    with timeline.lap(Step.POINT):
        point(switch)
    written = timeline.ended(Step.POINT)
    report.rto_seconds = timeline.between(timeline.began(Step.FENCE), written)
    report.closed_seconds = report.rto_seconds
    report.switch_seconds = timeline.between(timeline.ended(Step.DRAIN), written)
    switch.record.figures = {
        "closed for seconds": report.closed_seconds,
        "drain to first write in seconds": report.switch_seconds,
    }


def _as_in_production(run: Run, copy: Copy) -> Member:
    """Let the copy have the passwords that proxies know, and backups, without which no replica."""
    stack = run.loaded.stack
    member = read_member(run.site, stack.region, copy.name)
    scene = Scene(run, copy.name, member, (), None, None)
    master = scene.login(member, MASTER, writable=True)
    set_master_password(run.site, stack.region, copy.name, master)
    for user in USERS:
        repair_password(master, scene.login(member, user, writable=True))
    keep_backups(run.site, stack.region, copy.name, days=1)
    return member


@contextmanager
def _replica(work: Work, source: Member) -> Iterator[Member]:
    """Hold a replica of a copy for a block; promoted or not, it is gone afterwards."""
    run = work.scene.run
    stack = run.loaded.stack
    name = scratch_name(stack, secrets.token_hex(4))
    described = replace(
        scratch(stack, name, recovery=False),
        source=names.rds_arn(stack, stack.region, "db", source.name),
        marks=(run_mark(work.record),),
    )
    needs = [item for item in topology(stack) if item.address in described.needs]
    known = {address: found.outputs for address, found in observe_stack(run, needs).items()}
    instance = described.resolve(known)
    try:
        with work.timeline.lap("replica"):
            apply_instance(run.site, instance, None, ())
        yield read_member(run.site, stack.region, name)
    finally:
        keep_backups(run.site, stack.region, name, days=0)
        delete_scratch(run.site, instance, Made(name, stack.region))
        keep_backups(run.site, stack.region, source.name, days=0)


@contextmanager
def _proxy(run: Run, source: Member) -> Iterator[Proxy]:
    """Hold a proxy to a copy for a block."""
    stack = run.loaded.stack
    model = proxy_of(run)
    known = {
        address: found.outputs
        for address, found in observe_stack(run, topology(stack)).items()
        if address in model.needs
    }
    proxy = replace(model, name=source.name, role=ROLE).resolve(known)
    try:
        apply_proxy(run.site, proxy, None, ())
        follow(run, proxy, source)
        yield proxy
    finally:
        delete_proxy(run.site, Found(proxy, ""))
