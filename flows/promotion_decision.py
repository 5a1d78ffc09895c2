"""Deciding a promotion: whom, why not the others, and whether a person has agreed to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from flows.approval import Answer, Question
from flows.models import PlannedStep
from flows.promotion_models import LossReport, PromoteParameters, PromoteReport
from flows.promotion_scene import Scene, candidates, source
from haven.errors import Conflict, Refused
from haven.plan import Verb
from haven.promotion.choice import Limits, Mode, Promotion, Refusal, decide
from haven.promotion.mark import Mark
from haven.stack import names
from haven.stack.layout import PRIMARY, Member


def agreed(
    parameters: PromoteParameters, plan: PromoteReport, ask: Callable[[Question], Answer]
) -> PromoteParameters:
    """Show a person the plan, and return the parameters with what they have agreed to."""
    lines = [f"- {step.verb} **{step.subject}**: {step.because}" for step in plan.steps]
    lines += [f"- note: {text}" for text in (*plan.warnings, *plan.details)]
    name = next(step.subject for step in plan.steps if step.verb == Verb.PROMOTE)
    answer = ask(Question(f"{parameters.mode} promotion of {name}", "\n".join(lines), name))
    given: dict[str, object] = {
        "candidate": name,
        "confirm": answer.name,
        "approved_by": answer.by,
        "reason": answer.reason,
    }
    if answer.accepted_loss_s is not None:
        given["accept_loss_seconds"] = answer.accepted_loss_s
    return parameters.model_copy(update=given)


def chosen(
    scene: Scene, parameters: PromoteParameters, report: PromoteReport
) -> tuple[Member, Mark]:
    """Return the replica to promote: that of the promotion under way, or the one decided on."""
    if scene.marked is not None and scene.mark is not None and not _gives_way(scene, parameters):
        refuse_outdated(scene)
        refuse_rewound(scene.marked, scene.mark)
        if parameters.candidate not in ("", scene.marked.name):
            raise Conflict(
                f"A promotion of {scene.marked.name} is under way.",
                left="Nothing was touched.",
                cure="Finish it by running without a candidate, or undo it with mode=abort.",
            )
        if not _turns_worse(scene.mark, scene.marked, parameters):
            report.details.append(f"a promotion of {scene.marked.name} is under way: finishing it")
            _plan(report, scene, scene.marked)
            return scene.marked, scene.mark
        parameters = parameters.model_copy(update={"candidate": scene.marked.name})
    decision = _decide(scene, parameters)
    member = next(item for item in scene.replicas if item.name == decision.candidate.name)
    report.details += [f"{reason.sentence}" for reason in decision.others]
    report.warnings += decision.hazards
    report.loss = LossReport.of(decision.loss)
    _plan(report, scene, member)
    epoch = scene.run.loaded.stack.layout.epoch + 1
    return member, Mark(parameters.mode, epoch, datetime.now(UTC))


def refuse_outdated(scene: Scene) -> None:
    """Refuse to finish a promotion that another one has overtaken: its replica follows nobody."""
    stack, marked, mark = scene.run.loaded.stack, scene.marked, scene.mark
    if marked is None or mark is None or marked.name == names.primary(stack):
        return
    if mark.epoch <= stack.layout.epoch:
        raise Conflict(
            f"{marked.name} was to be the primary of epoch {mark.epoch}; the stack is in epoch "
            f"{stack.layout.epoch} already.",
            left="Nothing was touched.",
            cure="Undo it with mode=abort.",
        )


def refuse_rewound(marked: Member, mark: Mark) -> None:
    """Refuse to promote what is no replica: it has not been held against the primary."""
    if mark.mode is Mode.REWIND:
        raise Conflict(
            f"{marked.name} is an earlier moment that is to take the primary's place.",
            left="Nothing was touched.",
            cure="Finish it with mode=rewind, or undo it with mode=abort.",
        )


def _gives_way(scene: Scene, parameters: PromoteParameters) -> bool:
    """Tell whether an earlier moment still waits, or was half-way in place, when the primary was lost.

    Nothing was written to it: it is left aside.
    """
    if scene.marked is None or scene.mark is None or scene.mark.mode is not Mode.REWIND:
        return False
    return parameters.mode is Mode.EMERGENCY and scene.marked.role != PRIMARY


def _turns_worse(mark: Mark, marked: Member, parameters: PromoteParameters) -> bool:
    """Tell whether the primary was lost amid a planned switch-over, which becomes an emergency."""
    is_new = parameters.mode is Mode.EMERGENCY and mark.mode is not Mode.EMERGENCY
    return is_new and bool(marked.source)


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
        unknown=bool(accepted),
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


def refuse_unapproved(parameters: PromoteParameters, candidate: Member) -> None:
    """Refuse unless somebody has typed the name of what is promoted."""
    if parameters.confirm != candidate.name:
        raise Refused(
            f"To promote {candidate.name}, its name has to be typed.",
            left="Nothing was touched.",
            cure=f"Run again with --param confirm={candidate.name}.",
        )
