"""What goes into housekeeping, and what it reports."""

from __future__ import annotations

from pydantic import Field

from flows.diagnose import DiagnoseFinding
from flows.models import Parameters, PlannedStep, Report


class HousekeepingParameters(Parameters):
    """What housekeeping may do."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Read everything, change nothing, list what would be done.",
        json_schema_extra={"position": 1},
    )
    confirm: str = Field(
        "",
        title="Confirm deletions",
        description="The stack's full name, typed. Without it nothing is deleted: coming months are "
        "made, guards and retentions put right, and what would be deleted is only shown.",
        json_schema_extra={"position": 2},
    )


class HousekeepingReport(Report):
    """Report of housekeeping. Sizes of snapshots are those of their instances: at most so much."""

    left: list[PlannedStep] = Field(
        default_factory=list, description="What was not deleted, as its name was not typed."
    )
    kept: dict[str, str] = Field(
        default_factory=dict, description="What stays, and why, by its address."
    )
    findings: list[DiagnoseFinding] = Field(
        default_factory=list, description="What is wrong with the database, and what cures it."
    )
    cost_before: list[str] = Field(default_factory=list, description="Sizes and monthly prices.")
    cost_after: list[str] = Field(default_factory=list, description="The same after this run.")
    saved_usd: float = Field(0.0, description="US dollars a month that this run saves.")
