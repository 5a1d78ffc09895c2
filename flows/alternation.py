"""The application's credential: two roles by turns, and the pointer that applications follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from flows.rotation_report import RotateReport, Rotation, counted, sessions, timed
from flows.rotation_steps import Renewed, Scene, prove, refused, renew, through_proxy
from haven.credentials.check import Credential
from haven.credentials.schedule import Holding, Pointed, Turn, Work, pair_due
from haven.errors import Conflict
from haven.stack import names
from haven.waiting import SYSTEM_CLOCK
from tasks.role_sessions import Client, end_role_sessions, role_sessions
from tasks.role_trial import refuse_other_privileges
from tasks.rotation import move_pointer, observe_again, observe_pointer

_NOBODY = Credential("", "", ())
# How long sessions at work may take to come to rest before they are ended.
DRAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What binds this run: which passwords are due, who may hold them, how long it may wait."""

    before: datetime
    holding: Holding
    wait: float = 0.0
    # Whoever is logged in with an old password is locked out at once.
    lock_out: bool = False


def alternate(scene: Scene, rules: Rules, report: RotateReport) -> None:
    """Move the pointer if that is due, and expire what it left, unless that must wait longer."""
    pointed, work = look(scene, rules)
    if work is not None and work.due.turn is Turn.MOVE:
        if not _wait(scene, rules, pointed, work, report):
            return
        report.rotations.append(timed(partial(_move, scene, rules, pointed, work)))
        pointed, work = look(scene, rules)
    if (
        work is not None
        and work.due.turn is Turn.EXPIRE
        and _wait(scene, rules, pointed, work, report)
    ):
        report.rotations.append(timed(partial(_expire, scene, rules, work)))


def _wait(scene: Scene, rules: Rules, pointed: Pointed, work: Work, report: RotateReport) -> bool:
    """Wait until a piece of work may be done; tell when that is if we may not wait so long."""
    seconds = (work.due.at - pointed.now).total_seconds()
    if seconds > rules.wait:
        report.postponed[f"{work.due.turn} {work.login}"] = work.due.at
        return False
    if seconds > 0:
        scene.run.progress(f"waiting {seconds:.0f} s until nobody holds what is replaced")
        SYSTEM_CLOCK.sleep(seconds)
    return True


def look(scene: Scene, rules: Rules) -> tuple[Pointed, Work | None]:
    """Return where the pointer points, and what the application's credential needs."""
    site = scene.run.site
    fresh = {role: observe_again(site, scene.credentials[role]) for role in names.PROXY_ROLES}
    pointed = observe_pointer(site)
    if pointed.secret != fresh.get(pointed.role, _NOBODY).arn:
        raise Conflict(
            f"The pointer names {pointed.role!a} and the secret {pointed.secret!a}, which do not "
            "belong together in this stack.",
            left="Nothing was touched.",
            cure=f"Let it name one of {', '.join(names.PROXY_ROLES)} and that role's secret.",
        )
    a, b = names.PROXY_ROLES
    return pointed, pair_due(fresh, (a, b), pointed, rules.before, rules.holding)


def _move(scene: Scene, rules: Rules, pointed: Pointed, work: Work) -> Rotation:
    """Give the role that is not in use a new password, prove it, and move the pointer to it."""
    item = scene.credentials[work.login]
    was = role_sessions(scene.masters(scene.servers), pointed.role)
    renewed = None if work.due.fresh else renew(scene, work.login)
    tested = prove_current(scene, item)
    refuse_other_privileges(scene.master, work.login, pointed.role)
    closed = _closed(scene, item, renewed)
    met = end_sessions(scene, work.login, 0.0) if rules.lock_out else []
    point_to(scene, pointed, item)
    now = role_sessions(scene.masters(scene.servers), pointed.role)
    rotation = _rotation(work, renewed, tested, closed)
    rotation.left, rotation.ended = pointed.role, counted(met)
    rotation.sessions_before, rotation.sessions_after = sessions(was), sessions(now)
    return rotation


def prove_current(scene: Scene, item: Credential) -> tuple[str, ...]:
    """Log in with what is current through every door that the role has, proxies too."""
    seen = observe_again(scene.run.site, item)
    version = seen.current.id if seen.current else ""
    return prove(scene, seen, version, [*scene.servers, *through_proxy(scene, item)])


def point_to(scene: Scene, pointed: Pointed, item: Credential) -> None:
    """Move the pointer."""
    scene.record.check_lease()
    scene.run.progress(f"moving the pointer to {item.role}")
    move_pointer(scene.run.site, pointed, item)


def _expire(scene: Scene, rules: Rules, work: Work) -> Rotation:
    """End what is left of the role that the pointer left, and replace its password."""
    item = scene.credentials[work.login]
    patience = 0.0 if rules.lock_out else DRAIN_S
    met = end_sessions(scene, work.login, patience)
    renewed = renew(scene, work.login)
    tested = prove_current(scene, item)
    closed = _closed(scene, item, renewed)
    # Whoever logged in between the first look and the new password.
    met += end_sessions(scene, work.login, patience)
    rotation = _rotation(work, renewed, tested, closed)
    rotation.ended, rotation.sessions_before = counted(met), sessions(met)
    return rotation


def end_sessions(scene: Scene, role: str, patience: float) -> list[Client]:
    """End the sessions of a role on every server; return whom that met."""
    scene.record.check_lease()
    masters = scene.masters(scene.servers)
    return end_role_sessions(masters, role, scene.run.settings.interval, patience=patience)


def _closed(scene: Scene, item: Credential, renewed: Renewed | None) -> tuple[str, ...]:
    if renewed is None:
        return ()
    return refused(scene, item, renewed.before, [*scene.servers, *through_proxy(scene, item)])


def _rotation(
    work: Work,
    renewed: Renewed | None,
    tested: Sequence[str],
    closed: Sequence[str],
) -> Rotation:
    return Rotation(
        credential=work.name,
        role=work.login,
        turn=work.due.turn,
        before=renewed.before if renewed else "",
        after=renewed.after if renewed else "",
        steps=list(renewed.steps) if renewed else [],
        tested=list(tested),
        tried=renewed.tried if renewed else "",
        refused=list(closed),
    )
