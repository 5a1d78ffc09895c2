"""Back to an earlier password, in Secrets Manager and in the database, or to the other role."""

from __future__ import annotations

from dataclasses import dataclass

from flows.alternation import point_to, prove_current
from flows.rotation_report import Rotation
from flows.rotation_steps import Scene, prove, set_password
from haven.credentials.check import PENDING, Credential
from haven.credentials.schedule import APPLICATION, Turn
from haven.errors import InvalidRequest
from haven.stack import names
from tasks.probes import Answer, try_login
from tasks.rotation import give_up_version, make_current, observe_again, observe_pointer


@dataclass(frozen=True, slots=True)
class Back:
    """Which credential goes back, and to what: a version, or a role of the application's."""

    scene: Scene
    name: str
    to: str

    def __post_init__(self) -> None:
        """Refuse what there is no way back to."""
        known = self._known()
        if self.to not in known:
            raise InvalidRequest(
                f"There is no way back to {self.to!a} for {self.name}.",
                left="Nothing was touched.",
                cure=f"Known: {', '.join(known) or 'none'}.",
            )

    def _known(self) -> list[str]:
        if self.name == APPLICATION:
            return list(names.PROXY_ROLES)
        versions = self.scene.credentials[self.name].versions
        return [item.id for item in versions if item.stages - {PENDING}]

    @property
    def is_there(self) -> bool:
        """Whether that is what is used already, and the database lets it in."""
        if self.name == APPLICATION:
            item = self.scene.credentials[self.to]
            if observe_pointer(self.scene.run.site).role != self.to or item.current is None:
                return False
            version = item.current.id
        else:
            item, version = self.scene.credentials[self.name], self.to
            if item.current is None or item.current.id != version:
                return False
        return isinstance(try_login(self.scene.login(item, version)), Answer)


def roll_back(back: Back) -> Rotation:
    """Go back."""
    return _application(back) if back.name == APPLICATION else _single(back)


def _application(back: Back) -> Rotation:
    scene, item = back.scene, back.scene.credentials[back.to]
    tested = prove_current(scene, item)
    pointed = observe_pointer(scene.run.site)
    point_to(scene, pointed, item)
    return Rotation(
        credential=APPLICATION,
        role=back.to,
        turn=Turn.MOVE,
        tested=list(tested),
        left=pointed.role if pointed.role != back.to else "",
    )


def _single(back: Back) -> Rotation:
    scene, item = back.scene, observe_again(back.scene.run.site, back.scene.credentials[back.name])
    before = item.current.id if item.current else ""
    if not isinstance(try_login(scene.login(item, back.to)), Answer):
        set_password(scene, back.name, item, back.to)
    tested = prove(scene, item, back.to, scene.servers)
    _give_up(scene, item, back.to)
    make_current(scene.run.site, item, back.to)
    return Rotation(
        credential=back.name,
        role=item.role,
        turn=Turn.RENEW,
        before=before,
        after=back.to,
        tested=list(tested),
    )


def _give_up(scene: Scene, item: Credential, to: str) -> None:
    pending = item.bearing(PENDING)
    if pending is not None and pending.id != to:
        give_up_version(scene.run.site, item, pending.id)
