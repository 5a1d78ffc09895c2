"""Provision: bring a stack from what exists to what its file says.

Observe every resource, decide the steps, refuse hazards nobody accepted, take the steps with
everything parallel that can be, and prove the result by logging in through every endpoint.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeVar

from pydantic import Field

from flows.database import DatabaseReport, converge_database
from flows.frame import Record, Run, operation
from flows.graph import Job, Lap, run_graph
from flows.logins import Endpoint, prove_logins
from flows.models import Parameters, Report, as_parameters, planned
from flows.observation import observe_stack
from flows.outputs import Output, outputs_of, warnings_of
from haven.aws import already_exists
from haven.errors import Conflict
from haven.plan import Change, Hazard, Plan, gate
from haven.stack.databases import ROLES
from haven.stack.decide import plan_stack
from haven.stack.instance import Instance
from haven.stack.resource import Found, Resource
from haven.stack.secret import Secret
from haven.stack.topology import topology
from tasks.table import KINDS
from tasks.tags import write_tags

R = TypeVar("R", bound=Resource)


class ProvisionParameters(Parameters):
    """What a provision run may do."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Read everything, change nothing, list what would be done.",
        json_schema_extra={"position": 1},
    )
    accept: list[Hazard] = Field(
        default_factory=list,
        title="Accepted hazards",
        description="Hazards that this run may take: reboot, outage.",
        json_schema_extra={"position": 2},
    )


class ProvisionReport(Report):
    """What a provision run found, did and proved."""

    outputs: list[Output] = Field(default_factory=list)
    endpoints: list[Endpoint] = Field(
        default_factory=list, description="Endpoints that a verified login succeeded through."
    )
    database: DatabaseReport = Field(default_factory=DatabaseReport)
    timeline: list[tuple[str, float, float]] = Field(
        default_factory=list, description="Each step with its start and end in seconds."
    )


def provision(run: Run, parameters: ProvisionParameters) -> ProvisionReport:
    """Bring the stack to what its file says, and prove it."""
    begin = time.monotonic()
    stack = run.loaded.stack
    resources = topology(stack)
    with operation(
        run, "provision", as_parameters(parameters), dry_run=parameters.dry_run
    ) as record:
        run.progress("observing the stack")
        observed = observe_stack(run, resources)
        plan = plan_stack(stack, resources, observed)
        report = ProvisionReport(
            operation="provision",
            stack=stack.prefix,
            dry_run=parameters.dry_run,
            steps=planned(plan),
        )
        if not parameters.dry_run:
            gate(plan, parameters.accept)
            record.changes = [f"{step.verb} {step.subject}" for step in plan.steps]
            _act_and_prove(run, record, plan, resources, dict(observed), report)
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence = record.key
    return report


def _act_and_prove(
    run: Run,
    record: Record,
    plan: Plan,
    resources: Sequence[Resource],
    observed: dict[str, Found[Resource]],
    report: ProvisionReport,
) -> None:
    laps = carry_out(run, record, plan, resources, observed, report)
    run.progress("logging in through every endpoint")
    report.endpoints = prove_logins(run, observed)
    report.outputs = outputs_of(observed)
    report.warnings = warnings_of(observed)
    report.timeline = [(lap.name, round(lap.started, 3), round(lap.finished, 3)) for lap in laps]
    record.figures = {
        "steps taken": len(plan.steps),
        "database changes": len(report.database.changes),
        "endpoints proven": len(report.endpoints),
        "AWS requests": len(run.journal.calls),
    }
    record.facts = {
        "plan": plan.fingerprint,
        "outputs": {output.name: output.value for output in report.outputs},
    }


def carry_out(
    run: Run,
    record: Record,
    plan: Plan,
    resources: Sequence[Resource],
    observed: dict[str, Found[Resource]],
    report: ProvisionReport,
) -> list[Lap]:
    """Take every step of a plan as soon as what it needs is there; ``observed`` is updated.

    The roles in the database are made as soon as the primary and all secrets are there.
    """
    wanted = {resource.address: resource for resource in resources}
    jobs = [
        Job(
            step.subject,
            wanted[step.subject].needs,
            partial(_apply, run, wanted[step.subject], step.changes, observed),
        )
        for step in plan.steps
    ]
    jobs.append(Job(ROLES, _before_roles(resources), partial(_roles, run, observed, report)))
    return run_graph(jobs, workers=run.settings.parallel, before_each=record.check_lease)


def _before_roles(resources: Sequence[Resource]) -> list[str]:
    return [
        item.address
        for item in resources
        if isinstance(item, Secret) or (isinstance(item, Instance) and not item.is_replica)
    ]


def _roles(run: Run, observed: dict[str, Found[Resource]], report: ProvisionReport) -> None:
    report.database = converge_database(run, observed.copy())
    run.progress("roles, grants and extensions of the database are as wanted")


def _outputs(observed: dict[str, Found[R]]) -> dict[str, Mapping[str, str]]:
    """Return what every resource gives to others, while other steps add theirs."""
    return {address: found.outputs for address, found in observed.copy().items()}


def _apply(
    run: Run,
    resource: Resource,
    changed: Sequence[Change],
    observed: dict[str, Found[Resource]],
) -> None:
    wanted = resource.resolve(_outputs(observed))
    found = observed.get(resource.address)
    if found is not None and any(change.attribute == "tags" for change in changed):
        write_tags(run.site, wanted, found)
        changed = [change for change in changed if change.attribute != "tags"]
    if found is None or changed:
        try:
            made = KINDS[type(resource)].apply(run.site, wanted, found, changed)
        except Conflict as error:
            if found or not already_exists(error.__cause__):
                raise
            _carry_on(run, resource, observed, error)
        else:
            observed[resource.address] = made
    run.progress(f"{'made' if found is None else 'mended'} {resource.address}")


def _carry_on(
    run: Run, resource: Resource, observed: dict[str, Found[Resource]], error: Conflict
) -> None:
    """Take up what exists by now, if it is ours: a request whose answer was lost has made it.

    Raises ``error`` when there is nothing to be seen, and ``Conflict`` when it is not ours.
    """
    seen = observe_stack(run, [resource]).get(resource.address)
    if seen is None:
        raise error
    plan = plan_stack(run.loaded.stack, [resource], observed | {resource.address: seen})
    observed[resource.address] = seen
    for step in plan.steps:
        _apply(run, resource, step.changes, observed)
