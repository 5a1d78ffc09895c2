"""Telling what the new primary lacks: counts into the report, keys beside the backups."""

from __future__ import annotations

from collections.abc import Sequence

from flows.frame import Run
from flows.promotion_models import LossReport, PromoteReport
from haven.promotion.loss import Interval, Loss
from tasks.parting import Lacking, write_lacking


def tell_lacking(run: Run, found: Sequence[Lacking], epoch: int, report: PromoteReport) -> None:
    """Put the rows that the primary of an epoch lacks into the report, and keep their keys."""
    count = sum(item.count for item in found)
    report.lacking = {
        item.relation: {str(fate): len(keys) for fate, keys in item.keys.items()} for item in found
    }
    report.lacking_keys = write_lacking(run.site, epoch, found) if found else ""
    unknown = Interval(0, None)
    report.loss = LossReport.of(Loss(Interval(count, count), unknown, unknown))
    where = f": {report.lacking_keys}" if found else ""
    report.details.append(f"{count} rows of the epoch before are not in epoch {epoch}{where}")
