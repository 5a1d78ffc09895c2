"""Undoing a promotion before its point of no return: the primary is opened again."""

from __future__ import annotations

from datetime import UTC, datetime

from flows.endpoints import MASTER
from flows.promotion_after import quarantine
from flows.promotion_proxy import follow, proxy_of
from flows.promotion_scene import Scene
from flows.promotion_switch import MIGRATOR
from haven.errors import Failed, HavenError, Refused, Unavailable
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark
from haven.stack import names
from haven.stack.layout import PRIMARY, Member
from tasks.epoch import withdraw_epoch
from tasks.fence import lower_fence
from tasks.instance_waits import describe
from tasks.members import untag_member
from tasks.promotion import look_at_server

SETTLED = "available"
# RDS shows only after a while that it promotes what it was asked to.
SHOWN_S = 300.0


def undo(scene: Scene, candidate: Member, mark: Mark) -> list[str]:
    """Open the primary again, and forget the promotion; return what was done.

    Raises ``Refused`` where the candidate is, or may become, a primary: then it has to be finished.
    """
    if mark.mode is not Mode.REWIND:
        _refuse_just_asked(candidate, mark)
        refuse_past_return(scene, candidate)
    elif candidate.role == PRIMARY:
        raise _past_return(candidate, "it takes writes")
    primary, run = scene.primary, scene.run
    if primary is None:
        raise Unavailable(
            f"{scene.name} is not to be found.",
            left=f"{candidate.name} is a replica still.",
            cure="Run again when it can be reached, or use mode=emergency.",
        )
    standing = lower_fence(scene.login(primary, MASTER, writable=True))
    if not standing.is_down:
        raise Failed(f"The fence did not come off {primary.name}: {standing.text}.")
    withdraw_epoch(
        scene.login(primary, MIGRATOR, writable=True), run.loaded.stack.prefix, mark.epoch
    )
    follow(run, proxy_of(run), primary)
    if mark.mode is Mode.REWIND:
        quarantine(run, candidate)
    untag_member(run.site, candidate, names.TAG_PROMOTION)
    return [
        f"{primary.name}: {standing.text}",
        f"the proxy follows {primary.name} again",
        f"{candidate.name} is left as it is",
    ]


def _refuse_just_asked(candidate: Member, mark: Mark) -> None:
    if mark.asked is None:
        return
    ago = (datetime.now(UTC) - mark.asked).total_seconds()
    if ago < SHOWN_S:
        raise _past_return(candidate, f"RDS was asked to promote it {ago:.0f} s ago")


def refuse_past_return(scene: Scene, candidate: Member) -> None:
    """Refuse to open the old primary beside one that is, or is becoming, the new one."""
    rds = scene.run.site.cloud.client("rds", candidate.region)
    item = describe(rds, candidate.name)
    replays: bool | None = None
    try:
        replays = look_at_server(scene.login(candidate, MASTER, writable=False)).in_recovery
    except HavenError as error:
        told = error.what
    else:
        told = "it replays" if replays else "it takes writes"
    follows = bool(item.get("ReadReplicaSourceDBInstanceIdentifier"))
    if follows and replays and item["DBInstanceStatus"] == SETTLED:
        return
    raise _past_return(candidate, f"it is {item['DBInstanceStatus']}, {told}")


def _past_return(candidate: Member, told: str) -> Refused:
    return Refused(
        f"{candidate.name} may be a primary already: {told}.",
        left="The old primary stays closed: two of them would part.",
        cure="Run promote-replica again, which finishes the promotion.",
    )
