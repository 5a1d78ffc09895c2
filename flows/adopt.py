"""Adopt: take over a stack that something else built, by setting Haven's tags and nothing else.

Tags are the same whoever sets them, so adopting holds no lock: there may be no bucket for one
yet, and making one would be more than setting tags.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, Field

from flows.frame import Record, Run, operation
from flows.graph import Job, run_graph
from flows.models import Parameters, Report, as_parameters, planned
from flows.observation import observe_stack
from haven.errors import Refused
from haven.plan import Plan
from haven.stack.adoption import Finding, find_all, plan_adoption, refuse_other_stacks
from haven.stack.resource import Found, Resource
from haven.stack.topology import topology
from tasks.tags import write_tags


class AdoptParameters(Parameters):
    """What an adopt run may do."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Show what exists, what differs and which tags would be set.",
        json_schema_extra={"position": 1},
    )
    confirm: str = Field(
        "",
        title="Name of the stack",
        description="Type the stack's full name, project-environment, to take it over.",
        json_schema_extra={"position": 2},
    )


class FoundResource(BaseModel):
    """One resource of the stack file as it is in the account."""

    address: str
    standing: str = Field(description="absent, ours, untagged, foreign or goes with its owner.")
    arn: str
    owner: str = Field(description="The stack that its tag names; empty without such a tag.")
    differs: list[str] = Field(description="What a plan would show once it is ours.")
    tags: list[str] = Field(description="Tags that it lacks.")


class AdoptReport(Report):
    """What an adopt run found and which tags it set."""

    resources: list[FoundResource] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found: the resources, whose they are, and the tags they lack."""

    resources: Mapping[str, Resource]
    observed: Mapping[str, Found[Resource]]
    findings: Sequence[Finding]
    plan: Plan
    begin: float


def adopt(run: Run, parameters: AdoptParameters) -> AdoptReport:
    """Look, and set the tags that are missing if the stack's name was typed."""
    adoption = look(run)
    if parameters.dry_run:
        return report_of(run, adoption, dry_run=True)
    return take_over(run, adoption, parameters)


def look(run: Run) -> Adoption:
    """Find everything that has a name of the stack. Nothing is changed."""
    begin = time.monotonic()
    resources = topology(run.loaded.stack)
    observed = observe_stack(run, resources)
    findings = find_all(run.loaded.stack, resources, observed)
    by_address = {resource.address: resource for resource in resources}
    return Adoption(by_address, observed, findings, plan_adoption(findings), begin)


def take_over(run: Run, adoption: Adoption, parameters: AdoptParameters) -> AdoptReport:
    """Set the tags that were found missing, and only those.

    Raises ``Refused`` where a name belongs to another stack, or nobody said yes.
    """
    stack = run.loaded.stack
    refuse_other_stacks(stack, adoption.findings)
    if adoption.plan.steps and parameters.confirm != stack.prefix:
        raise Refused(
            f"To take over '{stack.prefix}', its name has to be typed.",
            left="Nothing was touched.",
            cure=f"Run again with --confirm {stack.prefix}.",
        )
    with operation(run, "adopt", as_parameters(parameters), dry_run=False, lock=False) as record:
        _tell(record, adoption)
        run_graph(
            [
                Job(step.subject, (), partial(_tag, run, adoption, step.subject))
                for step in adoption.plan.steps
            ],
            workers=run.settings.parallel,
        )
    report = report_of(run, adoption, dry_run=False)
    report.evidence = record.key
    return report


def _tell(record: Record, adoption: Adoption) -> None:
    record.changes = [f"{step.verb} {step.subject}" for step in adoption.plan.steps]
    counts = Counter(str(finding.standing) for finding in adoption.findings)
    differing = sum(bool(finding.differs) for finding in adoption.findings)
    record.figures = {**counts, "that differ": differing}
    record.facts = {"plan": adoption.plan.fingerprint}


def _tag(run: Run, adoption: Adoption, address: str) -> None:
    write_tags(run.site, adoption.resources[address], adoption.observed[address])
    run.progress(f"tagged {address}")


def report_of(run: Run, adoption: Adoption, *, dry_run: bool) -> AdoptReport:
    """Write down what was found."""
    return AdoptReport(
        operation="adopt",
        stack=run.loaded.stack.prefix,
        dry_run=dry_run,
        steps=planned(adoption.plan),
        resources=[_shown(finding) for finding in adoption.findings],
        aws_reads=run.journal.reads,
        aws_writes=run.journal.writes,
        seconds=round(time.monotonic() - adoption.begin, 3),
    )


def _shown(finding: Finding) -> FoundResource:
    return FoundResource(
        address=finding.address,
        standing=finding.standing,
        arn=finding.arn,
        owner=finding.owner,
        differs=[change.sentence() for change in finding.differs],
        tags=[f"{change.attribute}={change.wanted}" for change in finding.tags],
    )
