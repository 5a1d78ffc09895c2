"""Asking a person through Prefect: the flow run pauses, and its page shows a form."""

from __future__ import annotations

from typing import Literal

from prefect import pause_flow_run
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput
from pydantic import Field

from flows.approval import Answer, Question
from haven.errors import Refused

EXPIRES_S = 3600
POLL_S = 1


class Approval(RunInput):
    """The form."""

    decision: Literal["reject", "approve"] = Field("reject", title="Decision")
    name: str = Field("", title="Type the name of the replica", max_length=63)
    approved_by: str = Field("", title="Your name", max_length=200)
    reason: str = Field("", title="Reason", max_length=500)
    accepted_loss_seconds: float | None = Field(
        None,
        ge=0,
        title="Accepted loss in seconds",
        description="Emergency only; empty: the RPO of the stack.",
    )


def ask(question: Question) -> Answer:
    """Pause until somebody fills in the form. Raises ``Refused`` on a no, and after an hour."""
    form = Approval.with_initial_data(description=f"# {question.title}\n\n{question.plan}")
    try:
        given = pause_flow_run(wait_for_input=form, timeout=EXPIRES_S, poll_interval=POLL_S)
    except FlowPauseTimeout:
        raise _refused("Nobody approved it within an hour") from None
    if given.decision != "approve":
        raise _refused(f"{given.approved_by or 'Somebody'} rejected it")
    return Answer(given.name, given.approved_by, given.reason, given.accepted_loss_seconds)


def _refused(why: str) -> Refused:
    return Refused(f"{why}.", left="Nothing was touched.", cure="Run it again when it is agreed.")
