"""Check the heartbeat: how old it is on the writer, and how far each replica is behind it.

It only reads: it holds no lock and leaves no evidence.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from pydantic import BaseModel, Field

from flows.endpoints import home_instances, writer, writer_login
from flows.frame import Run
from flows.graph import gather
from flows.logins import READER, Sort, replica_logins
from flows.models import Parameters, Report
from haven.errors import Failed, HavenError, Unavailable
from haven.heartbeat import Finding, Seen, Trouble, findings, lag
from haven.pg import Login
from haven.stack.instance import Instance
from haven.stack.resource import Found, Resource
from haven.stack.topology import topology
from tasks.heartbeat import last_beat
from tasks.instances import observe_instances

APPLICATION = "haven check-heartbeat"
CONNECT_S = 5

Observed = Mapping[str, Found[Resource]]


class CheckHeartbeatParameters(Parameters):
    """How a check of the heartbeat ends."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Report what is wrong, where the run would otherwise end with an error. "
        "Nothing is changed in either case.",
        json_schema_extra={"position": 1},
    )


class HeartbeatEndpoint(BaseModel):
    """A server, and what it has of the heartbeat."""

    name: str
    sort: Sort
    instance: str = Field(description="Its own resource id (DbiResourceId).")
    age_seconds: float | None = Field(description="Age of its last beat, by its own clock.")
    lag_seconds: float | None = Field(
        description="Replicas: how much of the writer's beats it lacks, to one interval."
    )
    beats: int | None = Field(description="Number of its last beat.")
    epoch: int | None = Field(description="Line of primaries that wrote it.")
    written_to: str = Field(description="Resource id of the instance that it was written to.")
    unreachable: str = Field("", description="Why it could not be asked.")


class CheckHeartbeatReport(Report):
    """The heartbeat on every server of a stack."""

    endpoints: list[HeartbeatEndpoint] = Field(default_factory=list)


def check_heartbeat(run: Run, parameters: CheckHeartbeatParameters) -> CheckHeartbeatReport:
    """Read the last beat everywhere and say what is wrong with it. Changes nothing.

    Raises ``Failed`` when the writer's beat is missing or older than the stack allows,
    ``Unavailable`` when it is of another instance than the writer, and ``Conflict`` amid a
    promotion, when no heart beats.
    """
    begin = time.monotonic()
    run.refuse_unsettled()
    home, away = _instances(run)
    seen = writer_beat(run, home)
    run.progress("reading the heartbeat on the replicas")
    replicas = _replica_beats(run, {**home, **away})
    found = findings(seen, replicas, run.loaded.stack.heartbeat.limit_seconds)
    endpoints = [_endpoint(seen, seen), *(_endpoint(item, seen) for item in replicas)]
    report = CheckHeartbeatReport(
        operation="check-heartbeat",
        stack=run.loaded.stack.prefix,
        dry_run=parameters.dry_run,
        endpoints=endpoints,
        details=[_sentence(item) for item in endpoints],
        warnings=[f"{item.server}: {item.text}. {item.cure}" for item in found],
        aws_reads=run.journal.reads,
        aws_writes=run.journal.writes,
        seconds=round(time.monotonic() - begin, 3),
    )
    wrong = [item for item in found if not item.is_note]
    if wrong and not parameters.dry_run:
        raise _error(run, wrong)
    return report


def writer_beat(run: Run, home: Observed) -> Seen:
    """Read the last beat on the writer. Raises ``Unavailable`` when there is none to ask."""
    found = writer(run, home)
    login = writer_login(run, {found.resource.address: found}, READER, application=APPLICATION)
    login = replace(login, connect_timeout=CONNECT_S)
    beat = last_beat(login, run.loaded.stack.prefix)
    return Seen(found.resource.name, found.outputs["resource_id"], beat)


def heartbeat_status(run: Run, observed: Observed) -> tuple[str, float | None]:
    """Say how old the writer's beat is, and the same in seconds; or why that is not known."""
    region = run.loaded.stack.region
    try:
        seen = writer_beat(
            run, {key: item for key, item in observed.items() if item.resource.region == region}
        )
    except HavenError as error:
        return f"not known: {error.what}", None
    if seen.beat is None:
        return "none yet; 'haven heartbeat' writes it", None
    return _sentence(_endpoint(seen, seen)), seen.beat.age_s


def _instances(run: Run) -> tuple[Observed, Observed]:
    """Look at the instances of both regions, at the same time."""
    stack = run.loaded.stack
    wanted = [item for item in topology(stack) if isinstance(item, Instance)]
    away = [item for item in wanted if item.region == stack.recovery_region]
    found = gather(
        {
            "home": partial(home_instances, run),
            "away": partial(observe_instances, run.site, stack.recovery_region, away),
        },
        workers=2,
    )
    return found["home"], found["away"]


def _replica_beats(run: Run, observed: Observed) -> list[Seen]:
    logins = replica_logins(run, observed, application=APPLICATION)
    instances = {
        item.resource.name: item.outputs["resource_id"]
        for item in observed.values()
        if item.resource.name in logins and isinstance(item.resource, Instance)
    }
    work = {
        name: partial(_replica_beat, name, instances[name], login, run.loaded.stack.prefix)
        for name, login in logins.items()
    }
    answers = gather(work, workers=run.settings.parallel) if work else {}
    return [answers[name] for name in work]


def _replica_beat(name: str, instance: str, login: Login, stack: str) -> Seen:
    try:
        beat = last_beat(replace(login, connect_timeout=CONNECT_S), stack)
    except HavenError as error:
        return Seen(name, instance, None, error.what.rstrip("."))
    return Seen(name, instance, beat)


def _endpoint(seen: Seen, of_writer: Seen) -> HeartbeatEndpoint:
    beat, replica = seen.beat, seen is not of_writer
    behind = lag(of_writer.beat, beat) if replica else None
    return HeartbeatEndpoint(
        name=seen.server,
        sort=Sort.REPLICA if replica else Sort.WRITER,
        instance=seen.instance,
        age_seconds=round(beat.age_s, 3) if beat else None,
        lag_seconds=None if behind is None else round(behind, 3),
        beats=beat.beats if beat else None,
        epoch=beat.epoch if beat else None,
        written_to=beat.instance if beat else "",
        unreachable=seen.unreachable,
    )


def _sentence(item: HeartbeatEndpoint) -> str:
    if item.age_seconds is None:
        return f"{item.name}: {item.unreachable or 'no beat'}"
    behind = "" if item.lag_seconds is None else f", {item.lag_seconds:.1f} s behind the writer"
    return (
        f"{item.name}: beat {item.beats} of epoch {item.epoch}, {item.age_seconds:.1f} s old"
        f"{behind}"
    )


def _error(run: Run, wrong: list[Finding]) -> HavenError:
    what = "; ".join(f"{item.server}: {item.text}" for item in wrong)
    kind = Unavailable if {item.trouble for item in wrong} == {Trouble.ELSEWHERE} else Failed
    return kind(
        f"The heartbeat of {run.loaded.stack.prefix} is not as it should be: {what}.",
        left="Nothing was changed.",
        cure=wrong[0].cure,
    )
