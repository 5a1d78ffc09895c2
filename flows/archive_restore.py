"""Getting objects back out of the archive: asked for once, ready hours later, there for some days."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

from pydantic import Field

from flows.chores import step
from flows.frame import Run, operation
from flows.graph import gather
from flows.models import Report
from haven.errors import InvalidRequest, Refused
from haven.plan import Verb
from haven.retention.archive import HOURS, Archived, State, Tier
from haven.stack import names
from tasks.archive import ask_back, observe_archived

GIB = 1024**3


class ArchiveReport(Report):
    """Where the objects under a prefix are."""

    bucket: str
    prefix: str
    objects: dict[str, int] = Field(default_factory=dict, description="How many are where.")
    ready: bool = Field(False, description="All of them can be read.")


def restore_archive(
    run: Run, prefix: str, *, days: int, tier: Tier, recovery: bool, dry_run: bool
) -> ArchiveReport:
    """Ask for every object under a prefix that is in the archive. Run again, it says how far they are.

    Raises ``InvalidRequest`` for a tier that an object's archive does not have, and ``Refused`` where
    there is nothing.
    """
    begin, stack = time.monotonic(), run.loaded.stack
    region = stack.recovery_region if recovery else stack.region
    bucket = names.bucket(stack, "backups", recovery=recovery)
    given = {"prefix": prefix, "days": days, "tier": str(tier), "recovery": recovery}
    with operation(run, "archive-restore", given, dry_run=dry_run, lock=False) as record:
        found = observe_archived(run.site, region, bucket, prefix)
        frozen = [one for one in found if one.state is State.FROZEN]
        _check(bucket, prefix, found, frozen, tier)
        report = ArchiveReport(
            operation="archive-restore",
            stack=stack.prefix,
            dry_run=dry_run,
            bucket=bucket,
            prefix=prefix,
            steps=[step(Verb.UPDATE, one.address, _why(one, tier)) for one in frozen],
        )
        if not dry_run and frozen:
            run.progress(f"asking for {len(frozen)} objects")
            gather(
                {
                    one.key: partial(ask_back, run.site, region, bucket, one, days, tier)
                    for one in frozen
                },
                workers=run.settings.parallel,
            )
            found = observe_archived(run.site, region, bucket, prefix)
        record.changes = [f"{one.verb} {one.subject}" for one in report.steps]
        _tell(report, found)
        record.figures = dict(report.objects)
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence = record.key
    return report


def _check(
    bucket: str, prefix: str, found: list[Archived], frozen: list[Archived], tier: Tier
) -> None:
    if not found:
        raise Refused(
            f"There is nothing in {bucket} under {prefix!a}.",
            left="Nothing was touched.",
            cure=f"List it: aws s3 ls s3://{bucket}/ --recursive.",
        )
    wrong = {one.storage_class for one in frozen if (one.storage_class, tier) not in HOURS}
    if wrong:
        raise InvalidRequest(
            f"{', '.join(sorted(wrong))} has no {tier} retrieval.",
            left="Nothing was touched.",
            cure="Use --tier Standard or --tier Bulk.",
        )


def _why(one: Archived, tier: Tier) -> str:
    hours = HOURS[one.storage_class, tier]
    return f"{one.size / GIB:,.3f} GiB in {one.storage_class}, {tier}: within {hours:g} hours"


def _tell(report: ArchiveReport, found: list[Archived]) -> None:
    report.objects = dict(Counter(str(one.state) for one in found))
    report.ready = all(one.state in (State.WARM, State.READY) for one in found)
    report.details = [f"{count:,} objects {state}" for state, count in report.objects.items()]
    ends = [one.until for one in found if one.until]
    if ends:
        report.details.append(f"the first copy goes at {min(ends):%Y-%m-%d %H:%M} UTC")
