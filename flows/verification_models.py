"""What goes into a verification, and what it reports."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, Field

from flows.models import Parameters, Report
from haven.verification.choice import Kind
from haven.verification.verdict import Check, Verdict


class VerifyParameters(Parameters):
    """What a verification does."""

    dry_run: bool = Field(
        False,
        title="Dry run",
        description="Read everything, change nothing, say what would be restored.",
        json_schema_extra={"position": 1},
    )
    kind: Kind = Field(
        Kind.LATEST,
        title="Which backup",
        description="latest: the newest moment there is. random: a moment in the retention window. "
        "time: the moment below. snapshot: the one below, or the newest. recovery: the newest "
        "moment of the copy in the recovery region.",
        json_schema_extra={"position": 2},
    )
    moment: AwareDatetime | None = Field(
        None,
        title="Moment",
        description="For time: the moment to restore to, with its time zone.",
        json_schema_extra={"position": 3},
    )
    snapshot: str = Field(
        "",
        title="Snapshot",
        description="For snapshot: its name; empty for the newest.",
        json_schema_extra={"position": 4},
    )
    seed: int = Field(
        0,
        ge=0,
        title="Seed",
        description="For random: the same seed chooses the same moment; 0: the day decides.",
        json_schema_extra={"position": 5},
    )
    everything: bool = Field(
        False,
        title="Everything",
        description="Read the whole database, whatever the budget of the stack says.",
        json_schema_extra={"position": 6},
    )
    strong: bool = Field(
        False,
        title="SHA-256",
        description="Hash the text of every value with SHA-256: slower, and tells apart what "
        "PostgreSQL takes for equal, such as 1.0 and 1.00.",
        json_schema_extra={"position": 7},
    )
    keep_hours: float = Field(
        0,
        ge=0,
        le=72,
        title="Keep",
        description="Hours (at most 72) for which the copy is kept for people.",
        json_schema_extra={"position": 8},
    )


class VerifyReport(Report):
    """Report of a verification."""

    kind: Kind
    backup: str = Field("", description="ARN of the snapshot or automated backup.")
    restored_to: datetime | None = Field(None, description="The moment that the copy shows.")
    verdict: Verdict | None = None
    checks: list[str] = Field(default_factory=list, description="Each check and what it found.")
    manifest: str = Field("", description="Key of the manifest that the content was held against.")
    rpo_seconds: float | None = Field(
        None, description="How much older the newest recoverable beat is than the moment asked for."
    )
    rto_seconds: float | None = Field(
        None, description="From the request of the restore to a login that works."
    )
    rows_equal: int = Field(0, description="Rows proven to be as they were.")
    rows_explained: int = Field(0, description="Rows that differ, and rightly so.")
    rows_unexplained: int = 0
    share: float = Field(0.0, description="Part of the bytes that was looked at, from 0 to 1.")
    not_read: dict[str, str] = Field(
        default_factory=dict, description="What was not looked at, and why."
    )
    kept: str = Field("", description="Name of the copy, where it was to be kept.")


def told(report: VerifyReport, checks: list[Check]) -> list[str]:
    """Say it in lines."""
    lines = [check.text for check in checks]
    if report.rpo_seconds is not None:
        lines.append(f"RPO {report.rpo_seconds:.1f} s, RTO {report.rto_seconds or 0:.1f} s")
    if report.not_read:
        lines.append(
            f"looked at {report.share:.0%} of the bytes; {len(report.not_read)} parts left"
        )
    return lines
