"""What may be removed when: the section ``[housekeeping]`` of a stack file.

A rule that contradicts another, or the law, is refused here, with the reason.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from haven.stack.section import Section

# Seven years with two leap days: how long accesses to health data are kept on record.
LEGAL_MINIMUM_DAYS = 2557


class SnapshotRules(Section):
    """Which manual snapshots of an instance stay.

    One stays when any rule keeps it. The newest of a day, week, month or year stands for it; only
    those with a snapshot are counted, so that nothing goes because nothing new was made. Days are
    UTC, weeks begin on Monday.
    """

    minimum_age_days: int = Field(7, description="Nothing younger is ever deleted.")
    maximum_age_days: int = Field(
        2557, description="What is older is kept by no number below any more."
    )
    newest: int = Field(7, description="So many of the newest stay.")
    daily: int = Field(14, description="The newest of each of so many days.")
    weekly: int = Field(8, description="The newest of each of so many weeks.")
    monthly: int = Field(12, description="The newest of each of so many months.")
    yearly: int = Field(7, description="The newest of each of so many years.")
    archive_after_days: int = Field(
        365, ge=0, description="What is older is to be archived; 0: nothing is."
    )

    @field_validator("minimum_age_days", "newest", "daily", "weekly", "monthly", "yearly")
    @classmethod
    def _not_nothing(cls, value: int) -> int:
        if value < 1:
            raise ValueError("a rule that keeps nothing is a mistake sooner or later: at least 1")
        return value

    @model_validator(mode="after")
    def _ages_rise(self) -> Self:
        if self.maximum_age_days <= self.minimum_age_days:
            raise ValueError(
                f"maximum_age_days {self.maximum_age_days} must be above minimum_age_days "
                f"{self.minimum_age_days}, which nothing younger than is deleted"
            )
        if self.archive_after_days and not (
            self.minimum_age_days <= self.archive_after_days < self.maximum_age_days
        ):
            raise ValueError(
                f"archive_after_days {self.archive_after_days} must be from minimum_age_days "
                f"{self.minimum_age_days} to below maximum_age_days {self.maximum_age_days}; 0 "
                "archives nothing"
            )
        return self


class Prices(Section):
    """US dollars for a gibibyte and month, as the account pays them: look at your own bill."""

    storage: float = Field(0.115, ge=0, description="gp3 of an instance; a standby's is counted.")
    snapshots: float = Field(0.095, ge=0, description="Manual snapshots.")
    standard: float = Field(0.023, ge=0, description="S3 Standard.")
    glacier: float = Field(0.0036, ge=0, description="S3 Glacier Flexible Retrieval.")
    deep_archive: float = Field(0.00099, ge=0, description="S3 Glacier Deep Archive.")
    logs: float = Field(0.03, ge=0, description="CloudWatch Logs.")


class Housekeeping(Section):
    """What housekeeping removes, and how much of it in one run."""

    snapshots: SnapshotRules = SnapshotRules()
    prices: Prices = Prices()
    deletions_per_run: int = Field(
        10, le=100, description="At most so many resources are deleted in one run."
    )
    audit_log_days: int = Field(
        LEGAL_MINIMUM_DAYS, description="How long the access log stays in the database."
    )
    audit_months_ahead: int = Field(
        12, le=60, description="For so many coming months the access log has its partition."
    )
    sync_stuck_hours: int = Field(
        24, ge=1, description="A sync item is told as stuck when nothing moved it for so long."
    )
    sync_batch: int = Field(5000, ge=100, le=100_000, description="Rows deleted in one statement.")
    scratch_hours: int = Field(
        24, ge=1, description="A scratch instance that nobody asked to keep is gone after so long."
    )

    @field_validator("deletions_per_run", "audit_months_ahead")
    @classmethod
    def _not_nothing(cls, value: int) -> int:
        if value < 1:
            raise ValueError("housekeeping that may do nothing is none: at least 1")
        return value

    @field_validator("audit_log_days")
    @classmethod
    def _lawful(cls, value: int) -> int:
        if value < LEGAL_MINIMUM_DAYS:
            raise ValueError(f"access logs must be kept for seven years, {LEGAL_MINIMUM_DAYS} days")
        return value
