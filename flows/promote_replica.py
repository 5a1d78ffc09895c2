"""Promote a replica: a switch-over that loses nothing, or an emergency that says what it loses.

Look at the primary and its replicas, decide whom to promote, let a person agree by typing its
name, close the old primary, let the replica have everything, promote it, open it, and lead
applications there. Then put what is left behind out of reach, and protect the new primary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from flows.approval import ASK
from flows.frame import Run, open_run, operation
from flows.models import as_parameters
from flows.promotion_after import finish, protect, retire, save, silence
from flows.promotion_decision import agreed, chosen, refuse_unapproved
from flows.promotion_drill import drill
from flows.promotion_fence import close_all, left_open
from flows.promotion_models import PromoteParameters, PromoteReport, told
from flows.promotion_rescue import rescue
from flows.promotion_rewind import count, planned, restored
from flows.promotion_scene import Scene, Work, look
from flows.promotion_switch import (
    Switch,
    drain_candidate,
    fence,
    open_candidate,
    point,
    promote_candidate,
    say_who_is_primary,
    switch_of,
)
from flows.promotion_undo import undo
from haven.errors import Conflict, Failed, HavenError, InvalidRequest, Refused
from haven.plan import Verb
from haven.promotion.choice import Mode
from haven.promotion.steps import Step
from haven.promotion.timeline import Timeline
from haven.stack import names
from haven.stack.layout import RESTORED
from tasks.members import tag_member, untag_member

# RDS has said no. Where it said nothing, the promotion may be under way: that is never undone here.
REFUSALS = (Refused, InvalidRequest, Conflict, Failed)
REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY, Mode.FAIL_BACK})


def promote_replica(run: Run, parameters: PromoteParameters) -> PromoteReport:
    """Promote a replica, or undo what was begun; where there is somebody to ask, ask before."""
    ask = ASK.get()
    if ask and parameters.mode in REAL and not (parameters.dry_run or parameters.confirm):
        # Without the lock: it is looked at anew once they have answered.
        plan = _promote(run, parameters.model_copy(update={"dry_run": True}))
        parameters = agreed(parameters, plan, ask)
        run = open_run(run.settings, run.progress)
    return _promote(run, parameters)


def _promote(run: Run, parameters: PromoteParameters) -> PromoteReport:
    timeline = Timeline(time.monotonic)
    scene = look(run)
    report = PromoteReport(
        operation="promote-replica",
        stack=run.loaded.stack.prefix,
        dry_run=parameters.dry_run,
        mode=parameters.mode,
        before=scene.name,
        epoch=run.loaded.stack.layout.epoch,
    )
    with operation(
        scene.run,
        "promote-replica",
        as_parameters(parameters),
        dry_run=parameters.dry_run,
        promotes=parameters.mode is not Mode.DRILL,
        by_force=partial(_is_needed, scene, parameters)
        if parameters.mode is Mode.EMERGENCY
        else None,
    ) as record:
        try:
            MODES.get(parameters.mode, _switch_over)(
                Work(scene, record, parameters, report, timeline)
            )
        finally:
            report.timeline = timeline.laps
            record.facts["timeline"] = timeline.laps
    report.details += told(report)
    report.warnings += [f"left to do: {text}" for text in report.not_done]
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - timeline.begin, 3)
    report.evidence = record.key
    return report


def _is_needed(scene: Scene, parameters: PromoteParameters) -> None:
    """Decide an emergency before another operation is stopped for it. Raises as the promotion would."""
    told = PromoteReport(operation="promote-replica", stack="", dry_run=True, mode=parameters.mode)
    candidate, _ = chosen(scene, parameters, told)
    refuse_unapproved(parameters, candidate)


def _switch_over(work: Work) -> None:
    scene, parameters, timeline = work.scene, work.parameters, work.timeline
    with timeline.lap(Step.LOOK):
        candidate, mark = chosen(scene, parameters, work.report)
    if parameters.dry_run:
        return
    refuse_unapproved(parameters, candidate)
    switch = switch_of(work, candidate, mark)
    if scene.marked is not None and scene.marked != candidate:
        untag_member(scene.run.site, scene.marked, names.TAG_PROMOTION)
    if candidate.source:
        tag_member(scene.run.site, candidate, {names.TAG_PROMOTION: mark.text})
    horizon = None
    if mark.mode is Mode.EMERGENCY:
        horizon = rescue(switch)
    elif candidate.source:
        _close_and_promote(switch)
    _open_and_point(switch, horizon)
    _settle(switch)


def _rewind(work: Work) -> None:
    """Restore, prove and count; once its name was typed, let it take the primary's place."""
    scene, parameters, report = work.scene, work.parameters, work.report
    if parameters.dry_run:
        name, what, _ = planned(scene, parameters)
        report.details.append(f"{what} would be restored as {name}")
        return
    with work.timeline.lap("restore"):
        member, mark = restored(scene, work.record, parameters)
    switch = switch_of(work, member, mark)
    if member.role == RESTORED:
        count(scene, member, mark, report)
        if parameters.confirm != member.name:
            report.not_done.append(
                f"{scene.name} is the primary still. To go back: --param mode=rewind --param "
                f"confirm={member.name}; not to: --param mode=abort"
            )
            return
        _close_for_good(switch)
    _open_and_point(switch, None)
    _settle(switch)


def _close_for_good(switch: Switch) -> None:
    """Close the primary, and count anew what it has, now that nobody adds to it."""
    try:
        with switch.timeline.lap(Step.FENCE):
            fence(switch)
        with switch.timeline.lap(Step.DRAIN):
            count(switch.scene, switch.candidate, switch.mark, switch.report)
        switch.record.confirm_lease()
    except BaseException as error:
        _open_again(switch, error)
        raise


def _close_and_promote(switch: Switch) -> None:
    """Up to the point of no return; what fails before it is undone."""
    timeline = switch.timeline
    try:
        with timeline.lap(Step.FENCE):
            switch.before.progress(f"closing {switch.scene.name}")
            end = fence(switch)
        with timeline.lap(Step.DRAIN):
            switch.before.progress(f"letting {switch.candidate.name} have everything")
            drain_candidate(switch, end)
        switch.record.confirm_lease()
    except BaseException as error:
        _open_again(switch, error)
        raise
    try:
        with timeline.lap(Step.PROMOTE):
            switch.before.progress(f"promoting {switch.candidate.name}: there is no way back now")
            promote_candidate(switch)
    except REFUSALS as error:
        _open_again(switch, error)
        raise


def _open_again(switch: Switch, error: BaseException) -> None:
    """Undo, for the sake of whoever wants to write; the error that led here is the one to tell."""
    try:
        switch.record.confirm_lease()
        undo(switch.scene, switch.candidate, switch.mark)
        error.add_note(f"{switch.scene.name} was opened again.")
    except HavenError as another:
        error.add_note(
            f"{switch.scene.name} may still be closed: {another} Run promote-replica with "
            "mode=abort."
        )


def _open_and_point(switch: Switch, horizon: str | None) -> None:
    timeline, report = switch.timeline, switch.report
    with timeline.lap(Step.OPEN):
        switch.before.progress(f"opening {switch.candidate.name}")
        open_candidate(switch, horizon)
    say_who_is_primary(switch)
    with timeline.lap(Step.POINT):
        switch.before.progress("leading applications there")
        written = point(switch)
    end = timeline.ended(Step.POINT)
    report.promoted, report.epoch = switch.candidate.name, switch.mark.epoch
    report.rto_seconds = end
    report.closed_seconds = timeline.between(timeline.began(Step.FENCE), end)
    report.switch_seconds = timeline.between(timeline.ended(Step.DRAIN), end)
    report.details.append(f"first write through the proxy at {written}")


def _settle(switch: Switch) -> None:
    record, report = switch.record, switch.report
    with switch.timeline.lap(Step.RETIRE):
        retire(switch)
    with switch.timeline.lap(Step.PROTECT):
        switch.before.progress("protecting the new primary: backups, replicas, secrets, alarms")
        protect(switch)
        silence(switch)
    with switch.timeline.lap(Step.SNAPSHOT):
        save(switch)
    finish(switch)
    record.changes = [f"{step.verb} {step.subject}" for step in report.steps]
    record.figures = {
        "RTO in seconds": report.rto_seconds,
        "closed for seconds": report.closed_seconds,
        "epoch": report.epoch,
    }
    record.facts |= {
        "promoted": report.promoted,
        "before": report.before,
        "loss": report.loss.text if report.loss else "not known: the run before has told it",
        "fence": report.fence,
        "not done": report.not_done,
    }


def _fence(work: Work) -> None:
    scene, parameters, report = work.scene, work.parameters, work.report
    if parameters.dry_run:
        report.details += [f"{member.name} would be closed" for member in left_open(scene)]
        return
    try:
        close_all(scene, report, parameters.watch_seconds)
    finally:
        work.record.facts |= {"fence": report.fence, "lacking": report.lacking}


def _abort(work: Work) -> None:
    scene, report = work.scene, work.report
    if scene.marked is None or scene.mark is None:
        report.details.append("no promotion is under way")
        return
    if work.parameters.dry_run:
        report.details.append(f"the promotion of {scene.marked.name} would be undone")
        return
    report.details += undo(scene, scene.marked, scene.mark)
    work.record.changes = [f"{Verb.UNDO} promotion of {scene.marked.name}"]


MODES: Mapping[Mode, Callable[[Work], None]] = {
    Mode.ABORT: _abort,
    Mode.FENCE: _fence,
    Mode.DRILL: drill,
    Mode.REWIND: _rewind,
}
