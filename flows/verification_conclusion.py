"""What follows from what a verification saw: a verdict, its line in the ledger, an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flows.frame import Record, Run, look_around
from flows.verification_choice import Chosen
from flows.verification_models import VerifyReport, told
from haven.errors import Failed
from haven.stack.layout import RETIRED
from haven.verification.content import Proven, total_of
from haven.verification.history import Verification, proven_now
from haven.verification.timing import rpo_seconds
from haven.verification.verdict import Check, Outcome, Verdict, verdict
from tasks.manifests import Taken
from tasks.restored import Read
from tasks.topics import alarm
from tasks.verifications import add_verification, last_verification


@dataclass(frozen=True, slots=True)
class Seen:
    """What a verification saw of a copy."""

    copy: Read | None
    checks: list[Check]
    proven: list[Proven]
    rto: float

    @property
    def beat_at(self) -> datetime | None:
        """When the last beat was written that came into the copy, if one could look."""
        return self.copy.beat_at if self.copy else None


def conclude(
    run: Run,
    record: Record,
    report: VerifyReport,
    chosen: Chosen,
    wanted: Taken | None,
    seen: Seen,
) -> None:
    """Judge, write it down, and raise ``Failed`` for a backup that is not good."""
    _fill(report, chosen, wanted, seen)
    found = _entry(run, report, chosen, seen)
    record.figures = {
        "verdict": str(report.verdict),
        "rows equal": report.rows_equal,
        "rows explained": report.rows_explained,
        "rows unexplained": report.rows_unexplained,
        "RPO, s": report.rpo_seconds,
        "RTO, s": report.rto_seconds,
    }
    record.facts = {
        "verification": add_verification(run.site, found),
        "manifest": wanted.stored.model_dump() if wanted else None,
        "checks": report.checks,
    }
    if report.verdict is Verdict.NOT_GOOD:
        raise _not_good(run, chosen, found)
    _warn(report, chosen, run.loaded.stack.verification.rpo_seconds)
    report.warnings += [
        f"{name} takes writes by now, and what was verified is a backup of another instance"
        for name in _others_written_to(run, chosen.source)
    ]


def _others_written_to(run: Run, source: str) -> list[str]:
    """Look anew for what has been promoted meanwhile, by whomever."""
    members = look_around(run.site.cloud, run.loaded.stack).members
    return [
        item.name
        for item in members
        if not item.source and item.role != RETIRED and item.resource_id != source
    ]


def _fill(report: VerifyReport, chosen: Chosen, wanted: Taken | None, seen: Seen) -> None:
    total = total_of(seen.proven)
    report.verdict = verdict(seen.checks, content_known=wanted is not None)
    report.restored_to = chosen.shows
    report.checks = [check.text for check in seen.checks]
    report.manifest = wanted.stored.key if wanted else ""
    report.rpo_seconds = rpo_seconds(seen.beat_at, chosen.wanted)
    report.rto_seconds = round(seen.rto, 3)
    report.rows_equal, report.rows_explained = total.equal, total.explained
    report.rows_unexplained = len(total.unexplained)
    report.details = told(report, seen.checks)


def _warn(report: VerifyReport, chosen: Chosen, limit: float) -> None:
    if report.rpo_seconds is not None and report.rpo_seconds > limit:
        report.warnings.append(f"RPO {report.rpo_seconds:.0f} s is over the goal of {limit:.0f} s.")
    if report.verdict is Verdict.CONTENT_UNKNOWN:
        report.warnings.append(
            f"No manifest was taken before {chosen.shows:%Y-%m-%d %H:%M:%S} UTC: it restores, and "
            "nothing is known of its rows."
        )


def _entry(run: Run, report: VerifyReport, chosen: Chosen, seen: Seen) -> Verification:
    last = last_verification(run.site)
    failures = [check.text for check in seen.checks if check.outcome is Outcome.FAILED]
    good = [one.unit for one in seen.proven if not one.wrong]
    return Verification(
        kind=chosen.kind,
        source=chosen.source,
        backup=chosen.backup,
        restored_to=chosen.shows,
        finished=datetime.now(UTC),
        verdict=report.verdict or Verdict.NOT_GOOD,
        failures=tuple(failures),
        manifest=report.manifest,
        rpo_seconds=report.rpo_seconds,
        rto_seconds=report.rto_seconds or 0.0,
        rows_equal=report.rows_equal,
        rows_explained=report.rows_explained,
        rows_unexplained=report.rows_unexplained,
        proven=proven_now(last.proven if last else {}, good, chosen.shows),
    )


def _not_good(run: Run, chosen: Chosen, found: Verification) -> Failed:
    """Tell everybody who listens, and return the error."""
    stack = run.loaded.stack
    text = f"The backup {chosen.what} is not good: {'; '.join(found.failures)}."
    alarm(
        run.site, stack.region, f"{stack.prefix}-alerts", f"{stack.prefix}: backup not good", text
    )
    return Failed(
        text,
        left=f"It is marked as not good in {found.key}; the copy was removed.",
        cure="Verify another moment or snapshot (kind=random, kind=snapshot) to find one that is "
        "good, and keep a copy to look into with keep_hours.",
    )
