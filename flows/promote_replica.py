"""Promote a replica: a switch-over that loses nothing, or an emergency that says what it loses.

Look at the primary and its replicas, decide whom to promote, let a person agree by typing its
name, close the old primary, let the replica have everything, promote it, open it, and lead
applications there. Then put what is left behind out of reach, and protect the new primary.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from flows.frame import Record, Run, operation
from flows.models import PlannedStep, as_parameters
from flows.promotion_after import finish, protect, retire, save, silence
from flows.promotion_fence import close_all, left_open
from flows.promotion_models import LossReport, PromoteParameters, PromoteReport
from flows.promotion_rescue import rescue
from flows.promotion_scene import Scene, candidates, look, source
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
from haven.errors import Conflict, HavenError, Refused
from haven.plan import Verb
from haven.promotion.choice import Limits, Mode, Promotion, Refusal, decide
from haven.promotion.mark import Mark
from haven.promotion.steps import Step
from haven.promotion.timeline import Timeline
from haven.stack import names
from haven.stack.layout import Member
from tasks.members import tag_member


def promote_replica(run: Run, parameters: PromoteParameters) -> PromoteReport:
    """Promote a replica, or undo what was begun."""
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
        promotes=True,
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
    with timeline.lap(Step.LOOK):
        candidate, mark = _chosen(scene, parameters, report)
    if parameters.dry_run:
        return
    _approve(parameters, candidate)
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


def _chosen(
    scene: Scene, parameters: PromoteParameters, report: PromoteReport
) -> tuple[Member, Mark]:
    """Return the replica to promote: that of the promotion under way, or the one decided on."""
    if scene.marked is not None and scene.mark is not None:
        if parameters.candidate not in ("", scene.marked.name):
            raise Conflict(
                f"A promotion of {scene.marked.name} is under way.",
                left="Nothing was touched.",
                cure="Finish it by running without a candidate, or undo it with mode=abort.",
            )
        report.details.append(f"a promotion of {scene.marked.name} is under way: it is finished")
        _plan(report, scene, scene.marked)
        return scene.marked, scene.mark
    decision = _decide(scene, parameters)
    member = next(item for item in scene.replicas if item.name == decision.candidate.name)
    report.details += [f"{reason.sentence}" for reason in decision.others]
    report.warnings += decision.hazards
    report.loss = LossReport.of(decision.loss)
    _plan(report, scene, member)
    epoch = scene.run.loaded.stack.layout.epoch + 1
    return member, Mark(parameters.mode, epoch, datetime.now(UTC))


def _wanted(scene: Scene, parameters: PromoteParameters) -> str:
    """Return the name of the replica that is asked for; failing back, it is the one at home."""
    stack = scene.run.loaded.stack
    if parameters.mode is not Mode.FAIL_BACK:
        return parameters.candidate
    if not stack.layout.swapped:
        raise Refused(
            f"{scene.name} is at home already, in {stack.region}.",
            left="Nothing was touched.",
            cure="To promote another replica, use mode=planned.",
        )
    return names.recovery_replica(stack)


def _decide(scene: Scene, parameters: PromoteParameters) -> Promotion:
    stack = scene.run.loaded.stack
    accepted = parameters.accept_loss_seconds
    limits = Limits(
        loss_s=stack.verification.rpo_seconds if accepted is None else accepted,
        lag_s=stack.heartbeat.limit_seconds,
        dead=parameters.primary_is_gone,
    )
    decision = decide(
        parameters.mode,
        source(scene, parameters),
        candidates(scene),
        _wanted(scene, parameters),
        limits,
    )
    if isinstance(decision, Refusal):
        raise Refused(
            f"No replica of {scene.name} is promoted. "
            + " ".join(reason.sentence for reason in decision.reasons),
            left="Nothing was touched.",
        )
    return decision


def _plan(report: PromoteReport, scene: Scene, candidate: Member) -> None:
    report.steps = [
        PlannedStep(verb=verb, subject=subject, because=because, changes=[], hazards=[])
        for verb, subject, because in (
            (Verb.UPDATE, scene.name, "it is closed: nobody logs in, nobody writes"),
            (Verb.PROMOTE, candidate.name, f"it has everything that {scene.name} wrote"),
            (Verb.UPDATE, "proxy", f"applications follow to {candidate.name}"),
        )
    ]


def _approve(parameters: PromoteParameters, candidate: Member) -> None:
    if parameters.confirm != candidate.name:
        raise Refused(
            f"To promote {candidate.name}, its name has to be typed.",
            left="Nothing was touched.",
            cure=f"Run again with --param confirm={candidate.name}.",
        )


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
