"""Looking at a stack: what exists, how it is, who holds its lock, how to reach it."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, Field

from flows.check_heartbeat import heartbeat_status
from flows.frame import Run
from flows.observation import observe_stack
from flows.outputs import Output, outputs_of
from flows.secret_check import CredentialStatus, statuses
from haven.aws import aws_error, is_code
from haven.errors import Unavailable
from haven.lease import read_lease
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.layout import Member
from haven.stack.resource import Found, Resource
from haven.stack.retired import left_behind
from haven.stack.topology import topology
from tasks.credentials import observe_credentials
from tasks.evidence import last_runs


class InstanceStatus(BaseModel):
    """One instance as it is now."""

    name: str
    role: str
    instance_class: str
    status: str
    zone: str
    endpoint: str


class LastRunStatus(BaseModel):
    """How the last run of an operation ended."""

    operation: str
    outcome: str
    finished: str
    evidence: str = Field(description="Key of its record in the evidence bucket.")


class StatusReport(BaseModel):
    """A stack as it is now."""

    stack: str
    wanted: int = Field(description="Resources that should exist.")
    existing: int = Field(description="Resources that do.")
    instances: list[InstanceStatus] = Field(description="Those of earlier epochs too.")
    epoch: int = Field(description="Which line of primaries it is: a promotion raises it.")
    promotion: str = Field(description="The promotion under way, empty if there is none.")
    credentials: list[CredentialStatus] = Field(description="No login is tried for them.")
    last_runs: list[LastRunStatus]
    heartbeat: str = Field(description="The last beat on the writer, or why it is not known.")
    heartbeat_age_seconds: float | None = Field(description="Its age, where it is known.")
    lock: str
    outputs: list[Output]


def status(run: Run) -> StatusReport:
    """Observe the stack and say how it is."""
    resources = topology(run.loaded.stack)
    observed = observe_stack(run, resources)
    heartbeat, age = heartbeat_status(run, observed)
    return StatusReport(
        stack=run.loaded.stack.prefix,
        wanted=len(resources),
        existing=len(observed),
        instances=[
            _instance(found, found.resource)
            for found in observed.values()
            if isinstance(found.resource, Instance)
        ]
        + [_left(member) for member in left_behind(run.loaded.stack, run.sight.members)],
        epoch=run.loaded.stack.layout.epoch,
        promotion=next(
            (
                f"a promotion of {item.name} ({item.mark})"
                for item in run.sight.members
                if item.mark
            ),
            "",
        ),
        credentials=_credentials(run),
        last_runs=[
            LastRunStatus(operation=name, outcome=it.outcome, finished=it.finished, evidence=it.key)
            for name, it in sorted(last_runs(run.site.cloud, run.loaded.stack).items())
        ],
        heartbeat=heartbeat,
        heartbeat_age_seconds=age,
        lock=_lock(run),
        outputs=outputs_of(observed),
    )


def _instance(found: Found[Resource], instance: Instance) -> InstanceStatus:
    host, port = found.outputs.get("host", ""), found.outputs.get("port", "")
    return InstanceStatus(
        name=instance.name,
        role=(found.tags or {}).get(names.TAG_ROLE, ""),
        instance_class=instance.instance_class,
        status=instance.status,
        zone=instance.zone,
        endpoint=f"{host}:{port}" if host else "",
    )


def _left(member: Member) -> InstanceStatus:
    return InstanceStatus(
        name=member.name,
        role=member.role,
        instance_class=member.instance_class,
        status=member.status,
        zone=member.zone,
        endpoint=f"{member.host}:{member.port}" if member.host else "",
    )


def _credentials(run: Run) -> list[CredentialStatus]:
    days = run.loaded.stack.secrets.rotation_days
    return statuses(observe_credentials(run.site, ""), {}, days)


def _lock(run: Run) -> str:
    stack = run.loaded.stack
    s3 = run.site.cloud.client("s3", stack.region)
    try:
        seen = read_lease(s3, names.bucket(stack, "state"))
    except (ClientError, BotoCoreError) as error:
        if is_code(error, "NoSuchBucket"):
            return "the lock is free"
        raise aws_error(error, "the lock") from error
    if seen is None or seen.free:
        return "the lock is free"
    return f"locked by {seen.holder.owner} for {seen.holder.operation} since {seen.holder.since}"


def environment(run: Run) -> Mapping[str, str]:
    """Return variables that point awscli and psql at the stack; no password among them."""
    settings, stack = run.settings, run.loaded.stack
    values = {"AWS_DEFAULT_REGION": stack.region, "PGSSLMODE": "verify-full"}
    if settings.cloud == "local":
        values |= {
            "AWS_ENDPOINT_URL": settings.endpoint_url or "",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
    values["PGSSLROOTCERT"] = str(run.site.cloud.ca_bundle)
    writer = _writer(run)
    return values | {
        "PGHOST": writer["host"],
        "PGPORT": writer["port"],
        "PGDATABASE": stack.database.name,
        "PGUSER": stack.database.master_username,
    }


def _writer(run: Run) -> Mapping[str, str]:
    resources = topology(run.loaded.stack)
    writer = next(item for item in resources if isinstance(item, Instance) and not item.source)
    found = observe_stack(run, [writer]).get(writer.address)
    if found is None or "host" not in found.outputs:
        raise Unavailable(
            f"The stack '{run.loaded.stack.prefix}' has no primary yet.",
            cure="Run 'haven run provision' first.",
        )
    return found.outputs
