"""The switch itself, part by part. Each part may be run again, and finds what an earlier run did.

Up to ``promote`` all of it can be undone; from there on it can only be finished.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flows.endpoints import MASTER
from flows.frame import Record, Run
from flows.promotion_models import PromoteReport
from flows.promotion_proxy import follow, followed, proxy_of
from flows.promotion_scene import Scene, Work
from haven.errors import Failed, HavenError, InvalidRequest, Unavailable
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark
from haven.promotion.observed import position
from haven.promotion.timeline import Timeline
from haven.stack import names
from haven.stack.layout import PRIMARY, RETIRED, Layout, Member
from haven.stack.proxy import Proxy
from haven.waiting import Wait, wait_for
from tasks.epoch import begin_epoch, open_epoch
from tasks.fence import Fence, look_at_fence, lower_fence, raise_fence
from tasks.members import tag_member
from tasks.probes import try_login
from tasks.promotion import Replaying, drain, first_write, promote
from tasks.proxies import release_targets

MIGRATOR = "haven_migrator"
WRITE_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch under way: from a stack as it stands to the same stack with another primary.

    A drill has a proxy of its own, and leaves the stack as it stands.
    """

    scene: Scene
    candidate: Member
    mark: Mark
    record: Record
    report: PromoteReport
    timeline: Timeline
    drain_s: float
    scratch_proxy: Proxy | None = None

    @property
    def before(self) -> Run:
        """The run on the stack as it stood."""
        return self.scene.run

    @property
    def after(self) -> Run:
        """The run on the stack as it will stand."""
        stack, member = self.before.loaded.stack, self.candidate
        if self.mark.mode is Mode.DRILL:
            return self.before
        swapped = stack.layout.swapped != (member.region != stack.region)
        return self.before.at(Layout(self.mark.epoch, member.name, swapped, member.zone))


def switch_of(work: Work, candidate: Member, mark: Mark, proxy: Proxy | None = None) -> Switch:
    """Return the switch to an instance; a drill has a proxy of its own."""
    drain_s = work.parameters.drain_seconds
    return Switch(
        work.scene, candidate, mark, work.record, work.report, work.timeline, drain_s, proxy
    )


def fence(switch: Switch) -> int:
    """Close the primary, layer by layer, and verify; return how far it has written then."""
    scene, primary = switch.scene, switch.scene.primary
    if primary is None:
        raise Unavailable(f"{scene.name} is not to be found.")
    _begin_epoch(switch, primary)
    proxy = switch.scratch_proxy or proxy_of(switch.before)
    release_targets(scene.run.site, followed(proxy, primary))
    standing = close_database(scene, primary)
    switch.report.fence = [
        "the proxy follows no instance",
        f"{primary.name}: {standing.text}",
        f"{primary.name}: logins of {names.FIRST_WRITER} and {MIGRATOR} are refused",
    ]
    return position(standing.written)


def close_database(scene: Scene, member: Member) -> Fence:
    """Close the database of an instance, and try as clients would. Raises ``Failed`` if they get in."""
    master = scene.login(member, MASTER, writable=True)
    raise_fence(master, scene.run.settings.interval)
    for user in (names.FIRST_WRITER, MIGRATOR):
        _refuses(scene, member, user)
    standing = look_at_fence(master)
    if not standing.stands:
        raise Failed(
            f"The fence of {member.name} does not stand: {standing.text}.",
            cure="Find out who lets sessions in, then run the same command again.",
        )
    return standing


def _begin_epoch(switch: Switch, primary: Member) -> None:
    """Write the epoch before the fence: afterwards nobody may log in who could."""
    scene, stack = switch.scene, switch.before.loaded.stack
    if look_at_fence(scene.login(primary, MASTER, writable=True)).closed_roles:
        return
    begin_epoch(
        scene.login(primary, MIGRATOR, writable=True),
        stack.prefix,
        switch.mark.epoch,
        switch.candidate.resource_id,
        switch.record.who,
    )


def _refuses(scene: Scene, member: Member, user: str) -> None:
    """Try to log in, as a client with an old address would. Raises ``Failed`` when that works."""
    answer = try_login(scene.login(member, user, writable=True))
    if not isinstance(answer, InvalidRequest):
        raise Failed(
            f"{user} is not refused by {member.name}, though it is fenced.",
            left="Nothing was promoted.",
            cure="Find out who lets it in, then run the same command again.",
        )


def drain_candidate(switch: Switch, end: int | None) -> Replaying:
    """Wait until the candidate has everything; where ``end`` is not known, all it has received."""
    return drain(
        switch.scene.login(switch.candidate, MASTER, writable=False),
        end,
        resumed=switch.scene.mark is not None,
        limit=switch.drain_s,
        interval=switch.before.settings.interval,
    )


def promote_candidate(switch: Switch) -> None:
    """Make it a primary of its own: from here on there is no way back.

    That it is asked for is written down before: RDS goes on saying "available" for a while.
    """
    if switch.mark.mode is not Mode.DRILL:
        asked = replace(switch.mark, asked=datetime.now(UTC))
        tag_member(switch.before.site, switch.candidate, {names.TAG_PROMOTION: asked.text})
    promote(switch.before.site, switch.candidate)


def open_candidate(switch: Switch, horizon: str | None) -> None:
    """Lift what of the fence came with the data, here alone, and let the epoch begin.

    ``horizon`` is what it had of the epoch before; nothing where it had all.
    """
    scene, member = switch.scene, switch.candidate
    stack = switch.before.loaded.stack
    standing = lower_fence(scene.login(member, MASTER, writable=True))
    if not standing.is_down:
        raise Failed(f"The fence did not come off {member.name}: {standing.text}.")
    written = open_epoch(
        scene.login(member, MIGRATOR, writable=True),
        stack.prefix,
        switch.mark.epoch,
        member.resource_id,
        switch.record.who,
        horizon,
    )
    if not written:
        switch.report.warnings.append("the schema knows no epochs: run migrate")


def say_who_is_primary(switch: Switch) -> None:
    """Write it on the instances; the new one first, whose higher epoch counts."""
    site = switch.before.site
    epoch = {names.TAG_EPOCH: str(switch.mark.epoch)}
    tag_member(site, switch.candidate, {names.TAG_ROLE: PRIMARY} | epoch)
    if switch.scene.primary is not None and switch.mark.mode is not Mode.EMERGENCY:
        tag_member(site, switch.scene.primary, {names.TAG_ROLE: RETIRED})


def point(switch: Switch) -> str:
    """Let the proxy follow the new primary; return when the first write through it was."""
    proxy = switch.scratch_proxy or proxy_of(switch.after)
    return _first_write(switch, follow(switch.after, proxy, switch.candidate))


def _first_write(switch: Switch, host: str) -> str:
    login = replace(
        switch.scene.login(switch.candidate, names.FIRST_WRITER, writable=True),
        host=host,
        port=5432,
    )
    stack = switch.before.loaded.stack

    def attempt() -> str | HavenError:
        try:
            return first_write(login, stack.prefix, switch.mark.epoch)
        except HavenError as error:
            return error

    wait: Wait[str | HavenError] = Wait(
        what="a first write through the proxy",
        probe=attempt,
        reached=lambda seen: isinstance(seen, str),
        fatal=lambda _: None,
        interval=min(0.05, switch.before.settings.interval),
        deadline=WRITE_PATIENCE_S,
    )
    return str(wait_for(wait))
