"""Promote a replica: a switch-over that loses nothing, or an emergency that says what it loses.

Look at the primary and its replicas, decide whom to promote, let a person agree by typing its
name, close the old primary, let the replica have everything, promote it, open it, and lead
applications there. Then put what is left behind out of reach, and protect the new primary.
"""

from __future__ import annotations

import time

from flows.approval import ASK
from flows.frame import Record, Run, open_run, operation
from flows.models import as_parameters
from flows.promotion_after import finish, protect, retire, save, silence
from flows.promotion_decision import agreed, chosen, refuse_unapproved
from flows.promotion_drill import drill
from flows.promotion_fence import close_all, left_open
from flows.promotion_models import PromoteParameters, PromoteReport
from flows.promotion_rescue import rescue
from flows.promotion_scene import Scene, look
from flows.promotion_switch import (
    Switch,
    drain_candidate,
    fence,
    open_candidate,
    point,
    promote_candidate,
    say_who_is_primary,
)
from flows.promotion_undo import undo
from haven.errors import HavenError
from haven.plan import Verb
from haven.promotion.choice import Mode
from haven.promotion.steps import Step
from haven.promotion.timeline import Timeline
from haven.stack import names
from tasks.members import tag_member

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
        by_force=parameters.mode is Mode.EMERGENCY,
    ) as record:
        try:
            _act(scene, record, parameters, report, timeline)
        finally:
            report.timeline = timeline.laps
            record.facts["timeline"] = timeline.laps
    report.aws_reads, report.aws_writes = run.journal.reads, run.journal.writes
    report.seconds = round(time.monotonic() - timeline.begin, 3)
    report.evidence = record.key
    return report


def _act(
    scene: Scene,
    record: Record,
    parameters: PromoteParameters,
    report: PromoteReport,
    timeline: Timeline,
) -> None:
    if parameters.mode is Mode.ABORT:
        _abort(scene, record, parameters, report)
        return
    if parameters.mode is Mode.FENCE:
        _fence(scene, record, parameters, report)
        return
    if parameters.mode is Mode.DRILL:
        drill(scene.run, record, parameters, report, timeline)
        return
    with timeline.lap(Step.LOOK):
        candidate, mark = chosen(scene, parameters, report)
    if parameters.dry_run:
        return
    refuse_unapproved(parameters, candidate)
    switch = Switch(scene, candidate, mark, record, report, timeline, parameters.drain_seconds)
    if candidate.source:
        tag_member(scene.run.site, candidate, {names.TAG_PROMOTION: mark.text})
    horizon = None
    if mark.mode is Mode.EMERGENCY:
        horizon = rescue(switch)
    elif candidate.source:
        _close_and_promote(switch)
    _open_and_point(switch, horizon)
    _settle(switch)


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
        switch.record.check_lease()
    except BaseException as error:
        _open_again(switch, error)
        raise
    with timeline.lap(Step.PROMOTE):
        switch.before.progress(f"promoting {switch.candidate.name}: there is no way back now")
        promote_candidate(switch)


def _open_again(switch: Switch, error: BaseException) -> None:
    """Undo, for the sake of whoever wants to write; the error that led here is the one to tell."""
    try:
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


def _fence(
    scene: Scene, record: Record, parameters: PromoteParameters, report: PromoteReport
) -> None:
    if parameters.dry_run:
        report.details += [f"{member.name} would be closed" for member in left_open(scene)]
        return
    try:
        close_all(scene, report, parameters.watch_seconds)
    finally:
        record.facts |= {"fence": report.fence, "lacking": report.lacking}


def _abort(
    scene: Scene, record: Record, parameters: PromoteParameters, report: PromoteReport
) -> None:
    if scene.marked is None or scene.mark is None:
        report.details.append("no promotion is under way")
        return
    if parameters.dry_run:
        report.details.append(f"the promotion of {scene.marked.name} would be undone")
        return
    report.details += undo(scene, scene.marked, scene.mark)
    record.changes = [f"{Verb.UNDO} promotion of {scene.marked.name}"]
