"""Housekeeping of buckets: their lifecycle is as the stack file says; S3 carries it out."""

from __future__ import annotations

from functools import partial

from flows.chores import Chore, Finds, in_each_region, step
from flows.frame import Run
from haven.plan import Change, Verb
from haven.retention.archive import early_moves
from haven.stack.bucket import Bucket
from haven.stack.resource import Found, differences
from haven.stack.topology import topology
from tasks.buckets import apply_bucket, observe_bucket

LIFECYCLE = "lifecycle"


def bucket_chores(run: Run) -> Finds:
    """Hold the lifecycle of every bucket that has one against the stack file."""
    finds = in_each_region(run, partial(_in_region, run))
    days = run.loaded.stack.backups
    finds.details += early_moves(
        days.glacier_after_days, days.deep_archive_after_days, days.expire_after_days
    )
    return finds


def _in_region(run: Run, region: str) -> Finds:
    finds = Finds()
    for item in topology(run.loaded.stack):
        if isinstance(item, Bucket) and item.region == region and item.lifecycle:
            found = observe_bucket(run.site, region, [item]).get(item.address)
            if found is not None and isinstance(found.resource, Bucket):
                finds.chores += _mended(run, item, Found(found.resource, found.arn))
    return finds


def _mended(run: Run, item: Bucket, found: Found[Bucket]) -> list[Chore]:
    changed: list[Change] = [
        one for one in differences(item, found.resource) if one.attribute == LIFECYCLE
    ]
    return [
        Chore(
            step(Verb.UPDATE, item.address, one.sentence()),
            partial(apply_bucket, run.site, item, found, [one]),
        )
        for one in changed
    ]
