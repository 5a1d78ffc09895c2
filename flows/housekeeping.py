"""Housekeeping: what is missing is made, what has had its time goes, and what it all costs.

Everything is looked at and judged first. Nothing is deleted unless the stack's name was typed, never
more than the stack allows in one run, and each thing is looked at once more right before it goes.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import nullcontext
from functools import partial

from flows.chores import Chore, Finds, in_each_region
from flows.diagnose import look as diagnosis
from flows.endpoints import Observed, home_instances, writer_address
from flows.frame import Record, Run, operation
from flows.housekeeping_buckets import bucket_chores
from flows.housekeeping_database import MIGRATOR, database_chores, database_logins
from flows.housekeeping_models import HousekeepingParameters, HousekeepingReport
from flows.housekeeping_orphans import orphan_chores
from flows.housekeeping_snapshots import snapshot_chores
from flows.models import as_parameters
from haven.aws import at_step
from haven.errors import InvalidRequest, Refused
from haven.retention.cost import GIB, Line, Sort, bill, total
from haven.stack.bucket import Bucket
from haven.stack.instance import Instance
from haven.stack.topology import topology
from tasks.bucket_sizes import observe_sizes
from tasks.instances import observe_instances
from tasks.migration_lock import run_lock
from tasks.proofs import read_proofs
from tasks.site import only
from tasks.topics import alarm

STANDBY = 2


def housekeeping(run: Run, parameters: HousekeepingParameters) -> HousekeepingReport:
    """Keep house once. Without the stack's name typed, deletions are only shown."""
    begin = time.monotonic()
    stack = run.loaded.stack
    if parameters.confirm not in ("", stack.prefix):
        raise InvalidRequest(
            f"confirm {parameters.confirm!a} is not the name of the stack.",
            left="Nothing was touched.",
            cure=f"Type {stack.prefix}, or leave it out to see what would be deleted.",
        )
    with operation(
        run, "housekeeping", as_parameters(parameters), dry_run=parameters.dry_run
    ) as record:
        report = HousekeepingReport(
            operation="housekeeping", stack=stack.prefix, dry_run=parameters.dry_run
        )
        _keep_house(run, record, parameters, report)
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - begin, 3)
    report.evidence = record.key
    return report


def _keep_house(
    run: Run, record: Record, parameters: HousekeepingParameters, report: HousekeepingReport
) -> None:
    run.progress("looking at everything that is kept")
    observed = home_instances(run)
    finds = _look(run, observed)
    chores = _within(finds, run.loaded.stack.housekeeping.deletions_per_run)
    taken = [one for one in chores if parameters.confirm or parameters.dry_run or not one.deletes]
    report.steps = [one.step for one in taken]
    report.left = [one.step for one in chores if one not in taken]
    report.kept, report.warnings = finds.kept, [*finds.alarms, *finds.warnings]
    before = bill(finds.sizes, run.loaded.stack.housekeeping.prices)
    report.cost_before = [line.text for line in before]
    if not parameters.dry_run:
        record.changes = [f"{one.step.verb} {one.step.subject}" for one in taken]
        _raise_alarm(run, finds)
        _act(run, record, observed, taken, finds, report)
    health = diagnosis(run, observed)
    report.findings = health.told
    report.warnings += health.unread
    after = bill(finds.sizes, run.loaded.stack.housekeeping.prices)
    _tell(record, report, finds, before, after)


def _look(run: Run, observed: Observed) -> Finds:
    """Find everything there is to do, in the order of doing it: what is missing comes first."""
    proofs = read_proofs(run.site)
    host, _ = writer_address(run, observed)
    finds = database_chores(run, database_logins(run, observed), proofs)
    run.progress("looking at snapshots, and at what is left over")
    finds.add(snapshot_chores(run, proofs))
    finds.add(orphan_chores(run, host))
    finds.add(bucket_chores(run))
    finds.add(in_each_region(run, partial(_sizes, run)))
    return finds


def _sizes(run: Run, region: str) -> Finds:
    """Add up what a region's instances and buckets have of the stack."""
    stack = run.loaded.stack
    there = [item for item in topology(stack) if item.region == region]
    wanted = [item for item in there if isinstance(item, Instance)]
    instances = [one.resource for one in observe_instances(run.site, region, wanted).values()]
    sizes: Counter[Sort] = Counter()
    for one in only(Instance, instances):
        sizes[Sort.STORAGE] += one.allocated_gib * GIB * (STANDBY if one.multi_az else 1)
    for bucket in only(Bucket, there):
        sizes += observe_sizes(run.site, region, bucket.name)
    return Finds(sizes=dict(sizes))


def _within(finds: Finds, limit: int) -> list[Chore]:
    """Return what is done in one run; what is over the limit is told, and left for the next."""
    chosen: list[Chore] = []
    for one in finds.chores:
        if one.counted and sum(other.counted for other in chosen) >= limit:
            finds.kept[one.step.subject] = f"left for the next run, as one deletes at most {limit}"
        else:
            chosen.append(one)
    return chosen


def _raise_alarm(run: Run, finds: Finds) -> None:
    if finds.alarms:
        stack = run.loaded.stack
        text = "; ".join(finds.alarms)
        subject = f"{stack.prefix}: housekeeping"
        alarm(run.site, stack.region, f"{stack.prefix}-alerts", subject, f"{text}.")


def _act(
    run: Run,
    record: Record,
    observed: Observed,
    chores: list[Chore],
    finds: Finds,
    report: HousekeepingReport,
) -> None:
    """Take the steps; what somebody came to want meanwhile is left, and told."""
    in_database = any(one.step.subject.startswith(("partition/", "rows/")) for one in chores)
    migrator = database_logins(run, observed)[MIGRATOR]
    lock = run_lock(migrator, record.who, what="housekeeping")
    with lock if in_database else nullcontext():
        for one in chores:
            record.check_lease()
            run.progress(f"{one.step.verb} {one.step.subject}")
            try:
                with at_step(f"{one.step.verb} {one.step.subject}"):
                    one.act()
            except Refused as error:
                report.warnings.append(str(error))
                continue
            if one.frees:
                sort, size = one.frees
                finds.sizes[sort] -= size


def _tell(
    record: Record,
    report: HousekeepingReport,
    finds: Finds,
    before: list[Line],
    after: list[Line],
) -> None:
    report.cost_after = [line.text for line in after]
    report.saved_usd = round(total(before) - total(after), 2)
    report.details = [
        *finds.details,
        *(f"would be deleted: {one.subject}: {one.because}" for one in report.left),
        *(one.line for one in report.findings),
        *report.cost_after,
    ]
    record.figures = {
        "steps taken": len(report.steps),
        "left, as nobody confirmed": len(report.left),
        "kept": len(report.kept),
        "findings": len(report.findings),
        "USD a month before": round(total(before), 2),
        "USD a month after": round(total(after), 2),
    }
    record.facts = {"kept": report.kept, "alarms": finds.alarms}
