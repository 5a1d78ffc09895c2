"""Housekeeping of manual snapshots: judged together, deleted one by one."""

from __future__ import annotations

from functools import partial

from flows import chores
from flows.chores import Chore, Finds, in_each_region, step
from flows.frame import Run
from haven.plan import Hazard, Verb
from haven.retention.cost import GIB, Sort
from haven.retention.proof import Proofs
from haven.retention.snapshots import Fate, Judged, Rules, judge
from tasks.kept_snapshots import (
    Known,
    observe_restore_windows,
    observe_snapshots_kept,
    remove_snapshot,
)
from tasks.verifications import verified_snapshots


def snapshot_chores(run: Run, proofs: Proofs) -> Finds:
    """Judge the snapshots of both regions."""
    known = Known(verified_snapshots(run.site), proofs)
    return in_each_region(run, partial(_in_region, run, known))


def _in_region(run: Run, known: Known, region: str) -> Finds:
    stack = run.loaded.stack
    rules = Rules(
        stack.housekeeping.snapshots,
        stack.backups.retention_days,
        observe_restore_windows(run.site, region),
        stack.housekeeping.deletions_per_run,
    )
    found = observe_snapshots_kept(run.site, region, known)
    judged = judge(found, rules, chores.now())
    return Finds(
        chores=[_chore(run, one) for one in judged if one.fate is Fate.DELETE],
        details=[_to_archive(one) for one in judged if one.fate is Fate.ARCHIVE],
        kept={one.snapshot.address: one.because for one in judged if one.fate is Fate.KEEP},
        sizes={Sort.SNAPSHOTS: sum(one.gib for one in found) * GIB},
    )


def _chore(run: Run, one: Judged) -> Chore:
    snapshot = one.snapshot
    return Chore(
        step(Verb.DELETE, snapshot.address, one.because, Hazard.DELETES_DATA),
        partial(remove_snapshot, run.site, snapshot),
        counted=True,
        frees=(Sort.SNAPSHOTS, snapshot.gib * GIB),
    )


def _to_archive(one: Judged) -> str:
    return (
        f"{one.snapshot.address} is to be archived: {one.because}. It stays until an export of it "
        "was loaded back"
    )
