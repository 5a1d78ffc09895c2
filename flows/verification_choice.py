"""Which backup of a stack a verification restores, and to what moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flows.endpoints import home_instances, writer
from flows.frame import Run
from flows.reading import Reader, reader
from flows.verification_models import VerifyParameters
from haven.errors import InvalidRequest, Refused
from haven.stack.instance import Instance
from haven.stack.resource import Found, Resource
from haven.verification.choice import Copy, Kind, Window, check_moment, choose_copy, moment_in
from haven.verification.manifest import Manifest
from haven.verification.timing import Pulse
from tasks.backups import observe_copies, observe_window, wait_restorable
from tasks.manifests import Source
from tasks.restored import read_clock, read_pulse
from tasks.restores import Origin

APPLICATION = "haven verify"


@dataclass(frozen=True, slots=True)
class Scene:
    """A stack whose backups are looked at: who is read, and whether its heart beats."""

    writer: Found[Resource]
    reader: Reader
    pulse: Pulse | None

    @property
    def resource_id(self) -> str:
        """The resource whose backups these are."""
        return self.writer.outputs["resource_id"]

    @property
    def version(self) -> str:
        """The engine version of the writer."""
        found = self.writer.resource
        return found.engine_version if isinstance(found, Instance) else ""

    def source(self, tool_version: str) -> Source:
        """Return what manifests are taken of."""
        return Source(self.reader.login, self.reader.instance, self.resource_id, tool_version)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A backup, and the moment that a copy of it shows.

    ``until`` is a moment after which nothing that the copy holds can have been committed;
    ``wanted`` is the one that somebody who restores would have liked to have.
    """

    kind: Kind
    what: str
    source: str
    backup: str
    origin: Origin
    shows: datetime
    until: datetime
    wanted: datetime
    recovery: bool = False

    @property
    def exact(self) -> bool:
        """Tell whether the copy shows this moment, and none that is a little later."""
        return self.origin.moment is not None


def look(run: Run) -> Scene:
    """Look at the instances, and read the heartbeat."""
    observed = home_instances(run)
    found = reader(run, observed, application=APPLICATION)
    pulse = read_pulse(found.login, run.loaded.stack.prefix)
    return Scene(writer(run, observed), found, pulse)


def choose_backup(run: Run, scene: Scene, asked: VerifyParameters) -> Chosen:
    """Choose the backup. Raises ``Refused`` where there is none that fits."""
    if (asked.kind is Kind.TIME) != (asked.moment is not None):
        raise InvalidRequest(
            "moment goes with kind=time, and kind=time needs a moment.",
            left="Nothing was touched.",
            cure="For example: kind=time moment=2026-01-31T03:00:00Z.",
        )
    if asked.kind is Kind.SNAPSHOT:
        return _snapshot(run, scene, asked.snapshot)
    recovery = asked.kind is Kind.RECOVERY
    window = _window(run, scene, recovery=recovery)
    moment = _moment(window, asked)
    origin = Origin(
        resource_id=scene.resource_id, backup=window.arn if recovery else "", moment=moment
    )
    shows = moment or window.latest or datetime.now(UTC)
    return Chosen(
        asked.kind,
        f"{scene.writer.resource.name} at {shows:%Y-%m-%d %H:%M:%S} UTC",
        scene.resource_id,
        window.arn,
        origin,
        shows,
        shows,
        shows,
        recovery,
    )


def wait_for_backup(run: Run, scene: Scene, chosen: Chosen, taken: Manifest) -> Chosen:
    """Wait until the newest moment of a backup is past that of a manifest, where it has to be."""
    if chosen.kind not in (Kind.LATEST, Kind.RECOVERY):
        return chosen
    stack = run.loaded.stack
    region = stack.recovery_region if chosen.recovery else stack.region
    run.progress("waiting until the backup reaches the manifest")
    window = wait_restorable(run.site, region, scene.resource_id, taken.taken_at)
    now = read_clock(scene.reader.login)
    return replace(chosen, shows=window.latest or now, until=now, wanted=now)


def _window(run: Run, scene: Scene, *, recovery: bool) -> Window:
    stack = run.loaded.stack
    region = stack.recovery_region if recovery else stack.region
    found = observe_window(run.site, region, scene.resource_id)
    if found is None:
        raise Refused(
            f"There are no automated backups of {scene.writer.resource.name} in {region}.",
            left="Nothing was touched.",
            cure="Run provision, which turns them on.",
        )
    return found


def _moment(window: Window, asked: VerifyParameters) -> datetime | None:
    if asked.kind is Kind.RANDOM:
        return moment_in(window, asked.seed or datetime.now(UTC).toordinal())
    if asked.kind is Kind.TIME and asked.moment is not None:
        check_moment(window, asked.moment)
        return asked.moment
    return None


def _snapshot(run: Run, scene: Scene, name: str) -> Chosen:
    region, instance = run.loaded.stack.region, scene.writer.resource.name
    copies: Sequence[Copy] = observe_copies(run.site, region, instance)
    found = choose_copy(copies, name)
    return Chosen(
        Kind.SNAPSHOT,
        f"snapshot {found.name}",
        scene.resource_id,
        found.arn,
        Origin(snapshot=found.arn),
        found.taken,
        read_clock(scene.reader.login),
        found.taken,
    )
