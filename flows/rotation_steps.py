"""The four steps of a rotation, each of which can be taken again: create, set, test, finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from flows.endpoints import MASTER
from flows.frame import Record, Run
from flows.graph import gather
from flows.logins import Door, Sort, login_at
from haven.credentials.check import Credential
from haven.credentials.rotation import Step, next_step, stale_pending, successor
from haven.errors import InvalidRequest, Unavailable
from haven.pg import Login
from haven.stack import names
from haven.waiting import Wait, wait_for
from tasks.bootstrap import repair_password
from tasks.master_password import set_master_password
from tasks.probes import PATIENCE, Answer, probe_login, try_login
from tasks.role_trial import try_out
from tasks.rotation import (
    create_version,
    give_up_version,
    make_current,
    observe_again,
    password_of,
)

APPLICATION = "haven rotate"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rotation works on: the doors to the database, and who the master is there."""

    run: Run
    record: Record
    doors: Sequence[Door]
    credentials: Mapping[str, Credential]

    @property
    def writer(self) -> Door:
        """The door to the server that takes writes."""
        return next(door for door in self.doors if door.sort is Sort.WRITER)

    @property
    def servers(self) -> list[Door]:
        """The doors to instances, proxies left out."""
        return [door for door in self.doors if door.sort is not Sort.PROXY]

    def logins(self, item: Credential, version: str, through: Sequence[Door]) -> dict[str, Login]:
        """Return logins by door with one version of a secret."""
        password = password_of(self.run.site, item, version)
        return {
            door.name: login_at(self.run, door, item.role, password, APPLICATION)
            for door in through
        }

    def login(self, item: Credential, version: str) -> Login:
        """Return the login with one version of a secret on the server that takes writes."""
        return self.logins(item, version, [self.writer])[self.writer.name]

    def masters(self, through: Sequence[Door]) -> dict[str, Login]:
        """Return the master's logins by door, of the pending version where that is set already."""
        item = observe_again(self.run.site, self.credentials[MASTER])
        version, token = item.current.id if item.current else "", successor(item)
        if item.version(token) is not None:
            seen = try_login(self.login(item, version))
            version = token if isinstance(seen, InvalidRequest) else version
        return self.logins(item, version, through)

    @property
    def master(self) -> Login:
        """The master's login on the server that takes writes."""
        return self.masters([self.writer])[self.writer.name]


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of a secret: its versions, and what was shown through which doors."""

    before: str
    after: str
    steps: tuple[str, ...]
    tested: tuple[str, ...]
    tried: str


def renew(scene: Scene, name: str) -> Renewed:
    """Take a credential to its next version, from wherever an earlier run left it."""
    item = observe_again(scene.run.site, scene.credentials[name])
    stale = stale_pending(item)
    if stale:
        give_up_version(scene.run.site, item, stale)
        item = observe_again(scene.run.site, item)
    before, token = item.current.id if item.current else "", successor(item)
    steps: list[str] = []
    tested: tuple[str, ...] = ()
    tried = ""
    while True:
        works = item.version(token) is not None and _works(scene, item, token)
        step = next_step(item, token, works=works, tested=bool(tested))
        if step is Step.DONE:
            return Renewed(before, token, tuple(steps), tested, tried)
        scene.record.check_lease()
        scene.run.progress(f"{step} {item.secret}")
        steps.append(step.value)
        match step:
            case Step.CREATE:
                create_version(scene.run.site, item, token)
            case Step.SET:
                set_password(scene, name, item, token)
            case Step.TEST:
                tested, tried = _test(scene, item, token)
            case Step.FINISH:
                make_current(scene.run.site, item, token)
        item = observe_again(scene.run.site, item)


def _works(scene: Scene, item: Credential, version: str) -> bool:
    answer = try_login(scene.login(item, version))
    if isinstance(answer, Unavailable):
        raise answer
    return isinstance(answer, Answer)


def set_password(scene: Scene, name: str, item: Credential, version: str) -> None:
    """Give the role the password of a version: by RDS for the master, else by the master."""
    run = scene.run
    login = scene.login(item, version)
    if name == MASTER:
        set_master_password(run.site, run.loaded.stack.region, scene.writer.name, login)
    else:
        repair_password(scene.master, login)


def _test(scene: Scene, item: Credential, version: str) -> tuple[tuple[str, ...], str]:
    """Log in to every instance, replicas once they have replayed, and try out what is allowed."""
    shown = prove(scene, item, version, scene.servers)
    return shown, try_out(scene.login(item, version))


def prove(scene: Scene, item: Credential, version: str, through: Sequence[Door]) -> tuple[str, ...]:
    """Log in through doors with a version of a secret; return their names."""
    logins = scene.logins(item, version, through)
    interval = scene.run.settings.interval
    gather(
        {name: partial(probe_login, login, interval) for name, login in logins.items()},
        workers=scene.run.settings.parallel,
    )
    return tuple(logins)


def refused(
    scene: Scene, item: Credential, version: str, through: Sequence[Door]
) -> tuple[str, ...]:
    """See that a version of a secret lets nobody in through any of the doors.

    Raises ``Unavailable`` when one still does.
    """
    logins = scene.logins(item, version, through)
    gather(
        {
            name: partial(_wait_refused, login, scene.run.settings.interval)
            for name, login in logins.items()
        },
        workers=scene.run.settings.parallel,
    )
    return tuple(logins)


def _wait_refused(login: Login, interval: float) -> None:
    wait_for(
        Wait(
            what=f"{login.where} to refuse the old password",
            probe=lambda: try_login(login),
            reached=lambda seen: isinstance(seen, InvalidRequest),
            fatal=lambda _: None,
            interval=interval,
            deadline=PATIENCE,
        )
    )


def through_proxy(scene: Scene, item: Credential) -> list[Door]:
    """Return the doors of proxies that know a role."""
    if item.role not in names.PROXY_ROLES:
        return []
    return [door for door in scene.doors if door.sort is Sort.PROXY]
