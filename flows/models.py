"""What goes into every operation and comes out of it: parameters and reports."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from haven.plan import Plan, Step


class Parameters(BaseModel):
    """Parameters of an operation; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedStep(BaseModel):
    """One step of a plan, as reports show it."""

    verb: str
    subject: str
    because: str
    changes: list[str] = Field(description="Each attribute: wanted, found, what it costs.")
    hazards: list[str]


class Report(BaseModel):
    """What every operation reports."""

    operation: str
    stack: str
    dry_run: bool
    steps: list[PlannedStep] = Field(default_factory=list, description="In the order of work.")
    aws_reads: int = Field(0, description="AWS requests that read; lock and evidence left out.")
    aws_writes: int = Field(0, description="AWS requests that changed something.")
    seconds: float = Field(0.0, description="Wall time of the operation.")
    evidence: str = Field("", description="Key of the run's record in the evidence bucket.")
    restore: str = Field("", description="How to get back to before this run, where that is known.")
    details: list[str] = Field(
        default_factory=list, description="What people are told besides the steps, a line each."
    )
    warnings: list[str] = Field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Tell whether there was, or would be, anything to do."""
        return bool(self.steps)


def planned(plan: Plan) -> list[PlannedStep]:
    """Write a plan's steps as reports show them."""
    return [_planned(step) for step in plan.steps]


def _planned(step: Step) -> PlannedStep:
    return PlannedStep(
        verb=step.verb,
        subject=step.subject,
        because=step.because,
        changes=[change.sentence() for change in step.changes],
        hazards=[str(hazard) for hazard in step.hazards],
    )


def as_parameters(parameters: BaseModel) -> dict[str, Any]:
    """Return parameters as evidence records them."""
    return parameters.model_dump(mode="json")
