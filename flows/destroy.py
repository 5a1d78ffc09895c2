"""Destroy: remove everything of a stack that its file marks as disposable, and only that."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import Field

from flows.frame import Run, operation
from flows.graph import Job, run_graph
from flows.models import Parameters, Report, as_parameters, planned
from flows.observation import observe_stack
from haven.aws import not_found
from haven.errors import HavenError, Refused
from haven.plan import Hazard, Plan, Step, Verb, fingerprint, in_order
from haven.stack import names
from haven.stack.bucket import Bucket
from haven.stack.decide import refuse_foreign
from haven.stack.instance import Instance
from haven.stack.model import Stack
from haven.stack.rehearsal import scratch
from haven.stack.resource import Found, Resource
from haven.stack.retired import retired
from haven.stack.secret import Pointer, Secret
from haven.stack.topology import topology
from tasks.table import KINDS, Delete

HOLDS_DATA = (Instance, Bucket, Secret, Pointer)


class DestroyParameters(Parameters):
    """What a destroy run may do."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="List what would be deleted.",
        json_schema_extra={"position": 1},
    )
    confirm: str = Field(
        "",
        title="Name of the stack",
        description="Type the stack's full name, project-environment, to delete it.",
        json_schema_extra={"position": 2},
    )


class DestroyReport(Report):
    """What a destroy run deleted."""


def destroy(run: Run, parameters: DestroyParameters) -> DestroyReport:
    """Delete every resource of a disposable stack, each after what stands on it."""
    begin = time.monotonic()
    stack = run.loaded.stack
    refuse_kept(stack, parameters)
    # What promotions, and a rehearsal that was killed, left behind stands on the stack's network.
    resources = (*topology(stack), scratch(stack), *retired(stack, run.sight.members))
    report = DestroyReport(operation="destroy", stack=stack.prefix, dry_run=parameters.dry_run)
    with operation(run, "destroy", as_parameters(parameters), dry_run=parameters.dry_run) as record:
        observed = observe_stack(run, resources)
        plan = plan_removal(stack, resources, observed)
        report.steps = planned(plan)
        record.changes = [f"{step.verb} {step.subject}" for step in plan.steps]
        if not parameters.dry_run:
            _remove(run, plan, observed)
    if not parameters.dry_run:
        _remove_frame(run)
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    return report


def refuse_kept(stack: Stack, parameters: DestroyParameters) -> None:
    """Refuse unless the stack is disposable and its name was typed."""
    if not stack.disposable:
        raise Refused(
            f"The stack '{stack.prefix}' is not marked disposable = true in its file.",
            left="Nothing was touched.",
            cure="A stack that is kept is never destroyed by Haven.",
        )
    if not parameters.dry_run and parameters.confirm != stack.prefix:
        raise Refused(
            f"To destroy '{stack.prefix}', its name has to be typed.",
            left="Nothing was touched.",
            cure=f"Run again with --param confirm={stack.prefix}.",
        )


def plan_removal(
    stack: Stack, resources: Sequence[Resource], observed: Mapping[str, Found[Resource]]
) -> Plan:
    """Return a step per resource that exists and can be deleted, dependents first."""
    standing = {resource.address: resource for resource in resources}
    dependents: dict[str, list[str]] = {address: [] for address in observed}
    for resource in resources:
        for need in resource.needs:
            if need in dependents and resource.address in observed:
                dependents[need].append(resource.address)
    for address, found in observed.items():
        refuse_foreign(stack, standing[address], found)
    steps = [
        Step(
            Verb.DELETE,
            address,
            "the stack is disposable",
            hazards=(Hazard.DELETES_DATA,) if isinstance(found.resource, HOLDS_DATA) else (),
            needs=tuple(dependents[address]),
        )
        for address, found in observed.items()
        if not _belongs_to_frame(stack, found.resource)
    ]
    return Plan(in_order(steps), fingerprint(sorted(observed)))


def _belongs_to_frame(stack: Stack, resource: Resource) -> bool:
    """The state bucket holds this very run's lock and goes last."""
    return isinstance(resource, Bucket) and resource.name == names.bucket(stack, "state")


def _remove(run: Run, plan: Plan, observed: Mapping[str, Found[Resource]]) -> None:
    jobs = [
        Job(step.subject, step.needs, partial(_delete, run, observed[step.subject]))
        for step in plan.steps
    ]
    run_graph(jobs, workers=run.settings.parallel)


def _delete(run: Run, found: Found[Any]) -> None:
    delete = KINDS[type(found.resource)].delete
    if delete is None:
        return
    remaining: Found[Any] | None = found
    while remaining is not None:
        remaining = _left_after(run, delete, remaining)
    run.progress(f"deleted {found.resource.address}")


def _left_after(run: Run, delete: Delete, found: Found[Any]) -> Found[Any] | None:
    """Delete; return what is left when a part of it was gone already.

    A request whose answer was lost has deleted that part, and so it is gone when asked again.
    """
    try:
        delete(run.site, found)
    except HavenError as error:
        if not not_found(error.__cause__):
            raise
        left = observe_stack(run, [found.resource]).get(found.resource.address)
        if left == found:
            raise
        return left
    return None


def _remove_frame(run: Run) -> None:
    stack = run.loaded.stack
    bucket = next(item for item in topology(stack) if _belongs_to_frame(stack, item))
    _delete(run, Found(bucket, ""))
