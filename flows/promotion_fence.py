"""Closing old primaries that could not be closed when they were left, and counting what they hold.

It goes on until every one of them is closed: what cannot be reached now may come back any moment.
"""

from __future__ import annotations

from collections.abc import Iterator

from flows.endpoints import MASTER
from flows.logins import READER
from flows.promotion_after import quarantine
from flows.promotion_loss import tell_lacking
from flows.promotion_models import PromoteReport
from flows.promotion_scene import Scene
from flows.promotion_switch import MIGRATOR, close_database
from haven.errors import HavenError, InvalidRequest, Unavailable
from haven.stack import names
from haven.stack.layout import Member
from haven.stack.retired import has_led
from haven.waiting import Wait, wait_for
from tasks.epoch import read_horizon
from tasks.fence import readers_only
from tasks.master_password import set_master_password
from tasks.members import tag_member
from tasks.parting import find_lacking
from tasks.probes import try_login


def left_open(scene: Scene) -> list[Member]:
    """Return the old primaries that nobody has closed yet."""
    current = names.primary(scene.run.loaded.stack)
    return [
        item
        for item in scene.run.sight.members
        if not item.source and not item.mark and not item.fenced and item.name != current
    ]


def close_all(scene: Scene, report: PromoteReport, patience: float) -> None:
    """Close every old primary within ``patience`` seconds.

    Raises ``Unavailable`` with those that could not be reached, after all others are closed.
    """
    waiting = left_open(scene)
    if not waiting:
        report.details.append("no old primary is open")
        return

    def attempt() -> list[str]:
        return list(_close_each(scene, waiting, report))

    wait_for(
        Wait(
            what="the fence of every old primary",
            probe=attempt,
            reached=lambda reasons: not reasons,
            fatal=lambda _: None,
            interval=scene.run.settings.interval,
            deadline=patience,
            describe="; ".join,
        )
    )


def _close_each(scene: Scene, waiting: list[Member], report: PromoteReport) -> Iterator[str]:
    for member in list(waiting):
        scene.run.progress(f"closing {member.name}")
        try:
            _close(scene, member, report)
        except HavenError as error:
            yield f"{member.name}: {error.what}"
        else:
            waiting.remove(member)


def _close(scene: Scene, member: Member, report: PromoteReport) -> None:
    run = scene.run
    quarantine(run, member)
    master = scene.login(member, MASTER, writable=True)
    if isinstance(try_login(master), InvalidRequest):
        # Its password is of before the last rotation.
        set_master_password(run.site, member.region, member.name, master)
    standing = close_database(scene, member)
    report.fence.append(f"{member.name}: {standing.text}; only workers of Haven reach it")
    _count(scene, member, report)
    tag_member(run.site, member, {names.TAG_FENCED: str(run.loaded.stack.layout.epoch)})


def _count(scene: Scene, member: Member, report: PromoteReport) -> None:
    """Count what it holds that the new primary lacks, where the two parted in an emergency."""
    run = scene.run
    stack = run.loaded.stack
    if not has_led(stack, member):
        return
    epoch = member.epoch + 1
    current = next((item for item in run.sight.members if item.name == names.primary(stack)), None)
    if current is None:
        raise Unavailable(f"{names.primary(stack)} is not to be found.")
    horizon = read_horizon(scene.login(current, MIGRATOR, writable=True), stack.prefix, epoch)
    if horizon is None:
        report.details.append(
            f"{member.name}: nobody has written down where epoch {epoch} parted from it, so nothing "
            "was counted"
        )
        return
    with readers_only(scene.login(member, MASTER, writable=True), READER):
        found = find_lacking(
            scene.login(member, READER, writable=False),
            scene.login(current, READER, writable=False),
            horizon,
        )
    tell_lacking(run, found, epoch, report)
