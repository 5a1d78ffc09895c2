"""Housekeeping of what is left over: scratch copies, backups of nothing, groups, logs, secrets."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from flows import chores
from flows.chores import Chore, Finds, in_each_region, step
from flows.frame import Run
from flows.scratch_copy import leftovers, remove_leftovers
from haven.credentials.check import Trouble, findings
from haven.plan import Hazard, Verb
from haven.retention.cost import Sort
from haven.retention.orphans import Group, KeptBackup, why_keep_backup, why_keep_group
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.parameter_group import ParameterGroup
from haven.stack.topology import topology
from haven.verification.guard import Candidate, is_scratch_name
from tasks.credentials import observe_credentials
from tasks.orphans import (
    LOGS_OF,
    EndlessLog,
    alive_in,
    end_log,
    observe_endless_logs,
    observe_groups,
    observe_kept_backups,
    remove_group,
    remove_kept_backup,
)


def orphan_chores(run: Run, host: str) -> Finds:
    """Look for what is left over; ``host`` is what secrets have to lead to."""
    finds = _scratch(run)
    finds.add(in_each_region(run, partial(_in_region, run)))
    finds.add(_secrets(run, host))
    return finds


def _scratch(run: Run) -> Finds:
    """Copies that killed runs left: the lock says that none is being verified now."""
    hours = timedelta(hours=run.loaded.stack.housekeeping.scratch_hours)
    present = chores.now()
    old = [
        (region, one)
        for region, one in leftovers(run)
        if one.created is not None and present - one.created >= hours
    ]
    return Finds(chores=[_remove(run, region, one) for region, one in old])


def _remove(run: Run, region: str, one: Candidate) -> Chore:
    why = f"nobody asked to keep it, and it is there since {one.created:%Y-%m-%d %H:%M} UTC"
    return Chore(
        step(Verb.DELETE, f"instance/{region}/{one.name}", why, Hazard.DELETES_DATA),
        partial(remove_leftovers, run, [(region, one)]),
        counted=True,
    )


def _in_region(run: Run, region: str) -> Finds:
    finds = _backups(run, region)
    finds.add(_groups(run, region))
    finds.add(_logs(run, region))
    return finds


def _backups(run: Run, region: str) -> Finds:
    stack, present, finds = run.loaded.stack, chores.now(), Finds()
    found = observe_kept_backups(run.site, region)
    alive = {source: alive_in(run.site, source) for source in {one.source_region for one in found}}
    for one in found:
        reason = why_keep_backup(stack, one, alive[one.source_region], present)
        if reason:
            finds.kept[one.address] = reason
        else:
            finds.chores.append(_backup_chore(run, one))
    return finds


def _backup_chore(run: Run, one: KeptBackup) -> Chore:
    why = f"its instance is gone, and it ends at {one.latest or 'no moment'}"
    return Chore(
        step(Verb.DELETE, one.address, why, Hazard.DELETES_DATA),
        partial(remove_kept_backup, run.site, one),
        counted=True,
    )


def _groups(run: Run, region: str) -> Finds:
    stack = run.loaded.stack
    wanted = frozenset(item.name for item in topology(stack) if isinstance(item, ParameterGroup))
    return Finds(
        chores=[
            _group_chore(run, one, wanted)
            for one in observe_groups(run.site, region)
            if not why_keep_group(stack, one, wanted)
        ]
    )


def _group_chore(run: Run, one: Group, wanted: frozenset[str]) -> Chore:
    why = "no instance uses it, and the stack file does not want it"
    return Chore(
        step(Verb.DELETE, one.address, why, Hazard.DELETES_DATA),
        partial(remove_group, run.site, one, wanted),
        counted=True,
    )


def _logs(run: Run, region: str) -> Finds:
    stack = run.loaded.stack
    days = stack.database.log_retention_days
    known = {item.name for item in topology(stack) if isinstance(item, Instance)}
    known.add(names.rehearsal(stack))
    found = [one for one in observe_endless_logs(run.site, region) if _is_of(run, one, known)]
    return Finds(
        chores=[
            Chore(
                step(Verb.UPDATE, one.address, f"it keeps logs for ever, and {days} days are due"),
                partial(end_log, run.site, one, days),
            )
            for one in found
        ],
        sizes={Sort.LOGS: sum(one.bytes for one in found)},
    )


def _is_of(run: Run, one: EndlessLog, known: set[str]) -> bool:
    """Tell whether a log group is of an instance of this stack; another's name may begin alike."""
    instance = one.name.removeprefix(LOGS_OF).partition("/")[0]
    return instance in known or is_scratch_name(run.loaded.stack, instance)


def _secrets(run: Run, host: str) -> Finds:
    found = observe_credentials(run.site, host)
    days = run.loaded.stack.secrets.rotation_days
    told = findings(found, [one.role for one in found], {}, now=chores.now(), days=days)
    return Finds(
        warnings=[
            f"{one.subject}: {one.text}. {one.cure}"
            for one in told
            if one.trouble is Trouble.PENDING_LEFT
        ]
    )
