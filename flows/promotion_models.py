"""What goes into a promotion, and what it reports."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, Field

from flows.models import Parameters, Report
from haven.promotion.choice import Mode
from haven.promotion.loss import Loss


class PromoteParameters(Parameters):
    """What a promotion does, and what a person has agreed to."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Look at everything, change nothing, say who would be promoted and why.",
        json_schema_extra={"position": 1},
    )
    mode: Mode = Field(
        Mode.PLANNED,
        title="Mode",
        description="planned: switch over, nothing is lost. emergency: the primary is gone. "
        "fail-back: switch over to the home region. rewind: an earlier moment takes the primary's "
        "place. drill: switch over on copies. fence: close old primaries that can be reached "
        "again. abort: undo a promotion that was not finished.",
        json_schema_extra={"position": 2},
    )
    moment: AwareDatetime | None = Field(
        None,
        title="Moment",
        description="For rewind: the moment to go back to, with its time zone.",
        json_schema_extra={"position": 3},
    )
    candidate: str = Field(
        "",
        title="Replica",
        description="Name of the replica to promote; empty: the best one.",
        json_schema_extra={"position": 4},
    )
    confirm: str = Field(
        "",
        title="Type its name",
        description="The name of the replica that is promoted, typed by whoever approves it.",
        json_schema_extra={"position": 5},
    )
    approved_by: str = Field(
        "",
        max_length=200,
        title="Approved by",
        description="Who agrees to it, for the evidence. Under Prefect, without the name typed above, "
        "the run pauses and asks.",
        json_schema_extra={"position": 6},
    )
    reason: str = Field(
        "",
        max_length=500,
        title="Reason",
        description="Why, for the evidence.",
        json_schema_extra={"position": 7},
    )
    accept_loss_seconds: float | None = Field(
        None,
        ge=0,
        title="Accepted loss",
        description="For an emergency: how many seconds of writing may be lost; empty: the RPO of "
        "the stack.",
        json_schema_extra={"position": 8},
    )
    primary_is_gone: str = Field(
        "",
        title="Primary that is gone",
        description="For an emergency: the name of the primary, typed by a person who knows that it "
        "is gone, instead of two places that do not see it.",
        json_schema_extra={"position": 9},
    )
    watch_seconds: float = Field(
        30,
        ge=0,
        le=3600,
        title="Watched for",
        description="For an emergency: for how many seconds the primary must not answer. For fence: "
        "for how many seconds old primaries are waited for.",
        json_schema_extra={"position": 10},
    )
    drain_seconds: float = Field(
        60,
        gt=0,
        le=3600,
        title="Drained for",
        description="How many seconds the replica has for what it has not replayed yet. A planned "
        "switch-over is undone when they are over.",
        json_schema_extra={"position": 11},
    )


class LossReport(BaseModel):
    """What may be lost, as intervals; without a high end nobody knows how much at most."""

    rows: tuple[float, float | None]
    bytes: tuple[float, float | None] = Field(description="Bytes of WAL.")
    seconds: tuple[float, float | None]
    text: str

    @classmethod
    def of(cls, loss: Loss) -> LossReport:
        """Write a loss as reports show it."""
        pairs = {
            name: (interval.low, interval.high)
            for name, interval in (
                ("rows", loss.rows),
                ("bytes", loss.bytes),
                ("seconds", loss.seconds),
            )
        }
        return cls(**pairs, text=loss.text)


class PromoteReport(Report):
    """What a promotion did, how long each part took, what is lost, and what is left to do."""

    mode: Mode
    promoted: str = Field("", description="The instance that is the primary now.")
    before: str = Field("", description="The one that was.")
    epoch: int = Field(0, description="The epoch that the stack is in now.")
    loss: LossReport | None = None
    timeline: list[tuple[str, float, float]] = Field(
        default_factory=list, description="Each step with its start and end in seconds."
    )
    rto_seconds: float | None = Field(
        None, description="From the request to the first write through the applications' endpoint."
    )
    closed_seconds: float | None = Field(
        None, description="From the begin of the fence to that write: nobody could write so long."
    )
    switch_seconds: float | None = Field(
        None, description="From the last row that was drained to that write."
    )
    fence: list[str] = Field(
        default_factory=list, description="Each layer of the fence, and how it was verified."
    )
    lacking: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Rows that the old primary has and the new one lacks, by table and fate.",
    )
    lacking_keys: str = Field("", description="Where their keys are kept.")
    not_done: list[str] = Field(
        default_factory=list, description="What was left, and how to do it."
    )


def told(report: PromoteReport) -> list[str]:
    """Say it in lines: how long, what is lost, what keeps writers from the old primary."""
    lines = [f"fence: {text}" for text in report.fence]
    if report.rto_seconds is not None:
        closed = (
            f", closed for writers {report.closed_seconds:.1f} s" if report.closed_seconds else ""
        )
        lines.append(f"RTO {report.rto_seconds:.1f} s from the request to the first write{closed}")
    if report.loss is not None:
        lines.append(f"lost: {report.loss.text}")
    for relation, fates in report.lacking.items():
        counts = ", ".join(f"{count} {fate}" for fate, count in fates.items())
        lines.append(f"{relation}: {counts}; their keys are in {report.lacking_keys}")
    return lines
