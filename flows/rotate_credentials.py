"""Rotate credentials: new passwords, one after the other, while applications go on logging in.

A credential is renewed in four steps that are read off the secret and the database, so a run that
was killed is continued by the next one. The application's alternates between two roles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Self

from pydantic import AwareDatetime, Field, model_validator

from flows.alternation import Rules, alternate, end_sessions, look
from flows.endpoints import MASTER, writer_address
from flows.frame import Record, Run, operation
from flows.logins import doors
from flows.models import Parameters, PlannedStep, as_parameters
from flows.observation import observe_stack
from flows.rotation_guards import guard_roles, guard_secrets, guard_servers, without_absent
from flows.rotation_report import RotateReport, Rotation, counted, sessions, timed, told
from flows.rotation_rollback import Back, roll_back
from flows.rotation_steps import Scene, refused, renew
from haven.aws import at_step
from haven.credentials.check import PENDING
from haven.credentials.schedule import APPLICATION, Holding, Pointed, Turn, Work, singles_due
from haven.errors import Conflict, InvalidRequest, Refused
from haven.plan import Verb
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.proxy import Proxy, ProxyTarget
from haven.stack.resource import Found, Resource
from haven.stack.topology import topology
from tasks.credentials import observe_credentials
from tasks.migration_lock import run_lock
from tasks.rotation import make_current, observe_pointer


class Name(StrEnum):
    """The credentials of a stack, in the order of their work: first those that may be refused."""

    MIGRATOR = "haven_migrator"
    READER = "haven_reader"
    AUDITOR = "haven_auditor"
    MASTER = "master"
    APPLICATION = "application"


# With whose passwords a migration logs in again and again while it is at work.
USED_BY_MIGRATIONS = (Name.MIGRATOR, Name.READER)
# In an emergency nobody's cache counts; what is left is how exactly moments are told.
EMERGENCY_WAIT_S = 10.0


class Mode(StrEnum):
    """Why credentials are rotated."""

    SCHEDULED = "scheduled"
    NOW = "now"
    EMERGENCY = "emergency"
    ROLLBACK = "rollback"


class RotateParameters(Parameters):
    """What a rotation may do."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Read everything, change nothing, list what would be rotated.",
        json_schema_extra={"position": 1},
    )
    mode: Mode = Field(
        Mode.SCHEDULED,
        title="Mode",
        description="scheduled: what is older than the stack allows. now: at once. emergency: at "
        "once, and whoever holds an old password is locked out. rollback: back to what was.",
        json_schema_extra={"position": 2},
    )
    only: list[Name] = Field(
        default_factory=list,
        title="Only these",
        description="Credentials to rotate; all if empty.",
        json_schema_extra={"position": 3},
    )
    made_before: AwareDatetime | None = Field(
        None,
        title="Made before",
        description="Rotate passwords made before this moment. A run that was killed is resumed "
        "with the moment that it printed; without one, what it has done is due again.",
        json_schema_extra={"position": 4},
    )
    wait: int = Field(
        0,
        ge=0,
        le=7200,
        title="Wait",
        description="Seconds to wait for passwords that applications may still hold.",
        json_schema_extra={"position": 5},
    )
    to: str = Field(
        "",
        title="Back to",
        description="Rollback: the version of the secret, or the role of the application.",
        json_schema_extra={"position": 6},
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.mode is Mode.ROLLBACK) != bool(self.to):
            raise ValueError("to: a rollback, and nothing else, names what to go back to")
        if self.mode is Mode.ROLLBACK and len(self.only) != 1:
            raise ValueError("only: a rollback names one credential")
        return self


def rotate_credentials(run: Run, parameters: RotateParameters) -> RotateReport:
    """Rotate what is due, and prove for each that the new password works and the old does not."""
    begin = time.monotonic()
    with operation(
        run, "rotate-credentials", as_parameters(parameters), dry_run=parameters.dry_run
    ) as record:
        report = RotateReport(
            operation="rotate-credentials",
            stack=run.loaded.stack.prefix,
            dry_run=parameters.dry_run,
        )
        _rotate(run, record, parameters, report)
        record.figures = {
            "credentials rotated": len(report.rotations),
            "postponed": len(report.postponed),
        }
        record.facts = {"rotations": [it.model_dump(mode="json") for it in report.rotations]}
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence, report.details = record.key, told(report)
    return report


def _rotate(run: Run, record: Record, parameters: RotateParameters, report: RotateReport) -> None:
    run.progress("looking at the stack and its secrets")
    observed = _observe(run)
    if parameters.mode is Mode.EMERGENCY:
        observed, absent = without_absent(observed)
        report.warnings += absent
    scene = _scene(run, record, observed)
    logins = _logins(_chosen(parameters))
    guard_secrets(scene, logins)
    act = (
        _planned_rollback(scene, parameters, report)
        if parameters.mode is Mode.ROLLBACK
        else _planned_rotation(scene, parameters, report)
    )
    if parameters.dry_run:
        return
    record.changes = [f"{step.verb} {step.subject}" for step in report.steps]
    acts = bool(report.steps) or parameters.mode is Mode.EMERGENCY
    if acts:
        guard_servers(scene, observed, logins)
        guard_roles(scene, [login for login in logins if login != MASTER])
    _tidy(scene, logins)
    if acts:
        act()


def _planned_rollback(
    scene: Scene, parameters: RotateParameters, report: RotateReport
) -> Callable[[], None]:
    back = Back(scene, str(parameters.only[0]), parameters.to)
    if back.is_there:
        return lambda: None
    report.steps = [_planned(Verb.UNDO, back.name, f"back to {back.to}")]
    return lambda: report.rotations.append(roll_back(back))


def _planned_rotation(
    scene: Scene, parameters: RotateParameters, report: RotateReport
) -> Callable[[], None]:
    chosen = _chosen(parameters)
    report.made_before = _before(scene, parameters, _logins(chosen))
    rules = _rules(scene.run, parameters, report.made_before)
    works = singles_due(
        [name for name in chosen if name != APPLICATION], scene.credentials, rules.before
    )
    if APPLICATION in chosen:
        pointed, application = look(scene, rules)
        if application is not None and _is_late(application, pointed, rules):
            _refuse_held(application, pointed, parameters.mode)
            report.postponed[f"{application.due.turn} {application.login}"] = application.due.at
        elif application is not None:
            works = [*works, application]
    report.steps = [_planned(Verb.ROTATE, work.name, work.because) for work in works]

    def act() -> None:
        moment = rules.before.isoformat()
        scene.run.progress(f"to resume this run if it is killed: made_before={moment}")
        for work in works:
            with at_step(f"rotate {work.name}"):
                if work.name == APPLICATION:
                    alternate(scene, rules, report)
                else:
                    _rotate_single(scene, work, parameters.mode, report)
        if rules.lock_out:
            _lock_out(scene, chosen)

    return act


def _is_late(work: Work, pointed: Pointed, rules: Rules) -> bool:
    return (work.due.at - pointed.now).total_seconds() > rules.wait


def _observe(run: Run) -> dict[str, Found[Resource]]:
    wanted = [
        item
        for item in topology(run.loaded.stack)
        if isinstance(item, Instance | Proxy | ProxyTarget)
    ]
    return observe_stack(run, wanted)


def _scene(run: Run, record: Record, observed: dict[str, Found[Resource]]) -> Scene:
    host, _ = writer_address(run, observed)
    known = {item.secret.rpartition("/")[2]: item for item in observe_credentials(run.site, host)}
    return Scene(run, record, doors(observed), known)


def _chosen(parameters: RotateParameters) -> list[str]:
    return [str(name) for name in Name if name in parameters.only or not parameters.only]


def _logins(chosen: Collection[str]) -> list[str]:
    singles = [name for name in chosen if name != APPLICATION]
    return [*singles, *(names.PROXY_ROLES if APPLICATION in chosen else ())]


def _before(scene: Scene, parameters: RotateParameters, logins: Collection[str]) -> datetime:
    """Return the moment that passwords are due if made before, by Secrets Manager's clock.

    At once means all that there are now, but not those that this run or its next attempt makes.
    """
    now = observe_pointer(scene.run.site).now
    if parameters.made_before is not None:
        if parameters.made_before > now + timedelta(seconds=1):
            raise InvalidRequest(
                f"made_before {parameters.made_before:%Y-%m-%d %H:%M:%S %Z} is yet to come.",
                left="Nothing was touched.",
                cure="Name a moment that has been; what is made now would be due again.",
            )
        return parameters.made_before
    if parameters.mode is Mode.SCHEDULED:
        return now - timedelta(days=scene.run.loaded.stack.secrets.rotation_days)
    made = [item.since for login in logins if (item := scene.credentials[login]).since]
    return max([now, *made]) + timedelta(milliseconds=1)


def _rules(run: Run, parameters: RotateParameters, before: datetime) -> Rules:
    policy = run.loaded.stack.secrets
    if parameters.mode is Mode.EMERGENCY:
        nobody = Holding(timedelta(0), timedelta(0))
        return Rules(before, nobody, max(parameters.wait, EMERGENCY_WAIT_S), lock_out=True)
    holding = Holding(
        timedelta(seconds=policy.cache_seconds), timedelta(seconds=policy.grace_seconds)
    )
    return Rules(before, holding, parameters.wait)


def _planned(verb: Verb, name: str, because: str) -> PlannedStep:
    return PlannedStep(
        verb=verb, subject=f"credential/{name}", because=because, changes=[], hazards=[]
    )


def _refuse_held(work: Work, pointed: Pointed, mode: Mode) -> None:
    """Raise ``Refused`` when a person wants now what applications may still hold."""
    if mode is not Mode.NOW or work.due.turn is not Turn.MOVE:
        return
    seconds = (work.due.at - pointed.now).total_seconds() + 1
    raise Refused(
        f"Applications may hold the password of {work.login} until {work.due.at:%H:%M:%S} UTC: "
        f"the pointer left it at {pointed.moved:%H:%M:%S}.",
        left="Nothing was touched.",
        cure=f"Run it again in {seconds:.0f} s, let it wait with wait={seconds:.0f}, or choose "
        "mode=emergency, which locks them out.",
    )


def _tidy(scene: Scene, logins: Collection[str]) -> None:
    """Take AWSPENDING from current versions: a run that was killed left it there."""
    for login in logins:
        item = scene.credentials[login]
        if item.current is not None and PENDING in item.current.stages:
            make_current(scene.run.site, item, item.current.id)


def _rotate_single(scene: Scene, work: Work, mode: Mode, report: RotateReport) -> None:
    """Rotate one login; a scheduled run leaves what a migration uses while one is at work."""
    single = partial(_single, scene, work, mode)
    if work.login not in USED_BY_MIGRATIONS or mode is Mode.EMERGENCY:
        report.rotations.append(timed(single))
        return
    try:
        with run_lock(scene.master, scene.record.who, what="rotate"):
            report.rotations.append(timed(single))
    except Conflict as error:
        if mode is not Mode.SCHEDULED:
            raise
        report.warnings.append(f"{work.login} is left for the next run: {error.what}")


def _lock_out(scene: Scene, chosen: Collection[str]) -> None:
    """End what sessions there are: also of roles whose password a killed run has replaced."""
    in_use = observe_pointer(scene.run.site).role
    for login in _logins(chosen):
        if login != in_use:
            end_sessions(scene, scene.credentials[login].role, 0.0)


def _single(scene: Scene, work: Work, mode: Mode) -> Rotation:
    item = scene.credentials[work.login]
    renewed = renew(scene, work.login)
    closed = refused(scene, item, renewed.before, scene.servers)
    met = end_sessions(scene, item.role, 0.0) if mode is Mode.EMERGENCY else []
    return Rotation(
        credential=work.name,
        role=item.role,
        turn=work.due.turn,
        before=renewed.before,
        after=renewed.after,
        steps=list(renewed.steps),
        tested=list(renewed.tested),
        tried=renewed.tried,
        refused=list(closed),
        sessions_before=sessions(met),
        ended=counted(met),
    )
