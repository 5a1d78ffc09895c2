"""What a promotion finds: the primary, its replicas, a promotion under way, and logins to each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from flows.endpoints import MASTER
from flows.frame import Record, Run
from flows.graph import gather
from flows.logins import READER
from flows.promotion_models import PromoteParameters, PromoteReport
from haven.errors import Conflict, HavenError, Unavailable
from haven.pg import Login
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark, read_mark
from haven.promotion.observed import Candidate, Source, Vantage
from haven.promotion.timeline import Timeline
from haven.stack import names
from haven.stack.layout import PRIMARY, RETIRED, Member
from haven.stack.proxy import ProxyTarget
from haven.waiting import Wait, wait_for
from tasks.fence import WRITING
from tasks.instance_waits import SERVING
from tasks.promotion import Replaying, look_at_candidate, look_at_server
from tasks.proxies import target_state
from tasks.secrets import passwords

APPLICATION = "haven promote-replica"
ANSWER_S = 3
# A replica that has heard nothing for so long does not see its primary; PostgreSQL's own messages
# come every ten seconds at least (wal_receiver_status_interval).
SILENT_S = 20.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack before or amid a promotion.

    ``primary`` is the one that is left, ``name`` its name; there is none where its region is not
    seen, or where it is retired already. ``marked`` is what is being promoted, if anything.
    """

    run: Run
    name: str
    primary: Member | None
    replicas: tuple[Member, ...]
    marked: Member | None
    mark: Mark | None

    def login(self, member: Member, user: str, *, writable: bool) -> Login:
        """Return the login of a user at an instance; ``master`` stands for the master."""
        stack = self.run.loaded.stack
        return Login(
            host=member.host,
            port=member.port,
            database=stack.database.name,
            user=stack.database.master_username if user == MASTER else user,
            password=self._password(user),
            ca_bundle=self.run.site.cloud.ca_bundle,
            application=APPLICATION,
            writable=writable,
            connect_timeout=ANSWER_S,
            answer_limit=self.run.settings.request_timeout,
            options=WRITING if user == MASTER and writable else "",
        )

    def _password(self, user: str) -> str:
        secret = names.secret(self.run.loaded.stack, user)
        password = dict(passwords(self.run.site, [secret])).get(secret)
        if password is None:
            raise Unavailable(
                f"The secret {secret} is missing.", left="Nothing was touched.", cure="Look for it."
            )
        return password


@dataclass(frozen=True, slots=True)
class Work:
    """One run of promote-replica: what it found, was asked, has done so far, and when."""

    scene: Scene
    record: Record
    parameters: PromoteParameters
    report: PromoteReport
    timeline: Timeline


def near(run: Run) -> Run:
    """Return the run as seen from a region that answers: secrets, lock and evidence are there."""
    stack = run.loaded.stack
    if stack.region in run.sight.unseen and stack.recovery_region not in run.sight.unseen:
        return run.at(replace(stack.layout, swapped=not stack.layout.swapped))
    return run


def look(run: Run) -> Scene:
    """Sort what a run has found. Raises ``Conflict`` where several promotions are under way."""
    members = run.sight.members
    under_way = [item for item in members if item.mark]
    if len(under_way) > 1:
        found = ", ".join(sorted(f"{item.name} in {item.region}" for item in under_way))
        raise Conflict(
            f"Several instances are tagged haven:promotion: {found}.",
            left="Nothing was touched.",
            cure="Find out which one is to be promoted, and take the tag off the others.",
        )
    marked = under_way[0] if under_way else None
    mark = read_mark(marked.mark) if marked else None
    left = [item for item in members if item.role == PRIMARY and not item.source and item != marked]
    primary = max(left, key=lambda item: item.epoch, default=None)
    replicas = tuple(item for item in members if item.role != RETIRED and item.source)
    name = primary.name if primary else names.primary(run.loaded.stack)
    return Scene(near(run), name, primary, replicas, marked, mark)


def candidates(scene: Scene) -> list[Candidate]:
    """Ask every replica, each for itself."""
    work = {item.name: partial(_candidate, scene, item) for item in scene.replicas}
    return list(gather(work, workers=scene.run.settings.parallel).values())


def _candidate(scene: Scene, member: Member) -> Candidate:
    stack = scene.run.loaded.stack
    try:
        return look_at_candidate(
            scene.login(member, MASTER, writable=False),
            scene.login(member, READER, writable=False),
            member,
            stack.prefix,
        )
    except HavenError as error:
        said = error.what.rstrip(".")
        return Candidate(
            member.name, member.region, member.zone, member.instance_class, unreachable=said
        )


def source(scene: Scene, parameters: PromoteParameters) -> Source:
    """Look at the primary; in an emergency for a while, and from several places."""
    region = scene.primary.region if scene.primary else scene.run.loaded.stack.region
    found = Source(scene.name, region)
    if scene.primary is not None:
        found = replace(found, zone=scene.primary.zone, status=scene.primary.status)
    emergency = parameters.mode is Mode.EMERGENCY
    watched = parameters.watch_seconds if emergency and not parameters.primary_is_gone else 0.0
    seen = _ask(scene, watched)
    if not isinstance(seen, HavenError):
        return replace(found, end=seen.replayed, max_connections=seen.max_connections)
    if not emergency or parameters.primary_is_gone:
        return found
    login = Vantage("here", sees=False, said=seen.what)
    return replace(found, vantages=(login, *_others(scene)))


def _ask(scene: Scene, watched: float) -> Replaying | HavenError:
    member = scene.primary
    if member is None or not member.host:
        return Unavailable(f"{scene.name} is not to be found.")
    login = scene.login(member, MASTER, writable=True)

    def probe() -> Replaying | HavenError:
        try:
            return look_at_server(login)
        except HavenError as error:
            return error

    wait: Wait[Replaying | HavenError] = Wait(
        what=f"an answer of {member.name}",
        probe=probe,
        reached=lambda seen: not isinstance(seen, HavenError),
        fatal=lambda _: None,
        interval=scene.run.settings.interval,
        deadline=watched,
    )
    try:
        return wait_for(wait)
    except Unavailable as error:
        return error


def _others(scene: Scene) -> Iterator[Vantage]:
    stack = scene.run.loaded.stack
    yield _of_rds(scene)
    for member in scene.replicas:
        yield _of_replica(scene, member)
    if scene.primary is not None:
        proxy = f"{stack.prefix}-proxy"
        yield _of_proxy(
            scene,
            ProxyTarget(name=proxy, region=scene.primary.region, proxy=proxy, instance=scene.name),
        )


def _of_rds(scene: Scene) -> Vantage:
    """RDS goes on saying 'available' for a while: that proves nothing."""
    if scene.primary is None:
        return Vantage("RDS", sees=False, said="its region does not answer")
    status = scene.primary.status
    return Vantage("RDS", sees=None if status in SERVING else False, said=status)


def _of_replica(scene: Scene, member: Member) -> Vantage:
    name = f"the replica {member.name}"
    try:
        seen = look_at_server(scene.login(member, MASTER, writable=False))
    except HavenError as error:
        return Vantage(name, sees=None, said=error.what)
    hears = seen.fed and seen.silent_s is not None and seen.silent_s < SILENT_S
    return Vantage(name, sees=hears, said="it receives" if hears else "it receives nothing")


def _of_proxy(scene: Scene, target: ProxyTarget) -> Vantage:
    try:
        state = target_state(scene.run.site, target)
    except HavenError as error:
        return Vantage("the proxy", sees=None, said=error.what)
    return Vantage("the proxy", sees=state.startswith("AVAILABLE"), said=state)
