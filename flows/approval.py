"""Asking a person: what goes to them, what comes back. Who asks is set by whoever runs the operation."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked to agree to: the plan as Markdown, and the name they have to type."""

    title: str
    plan: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What they said. ``name`` is what they typed, ``by`` who they say they are."""

    name: str
    by: str
    reason: str
    accepted_loss_s: float | None = None


# Nobody is asked at a terminal: what is agreed to is said on the command line.
ASK: ContextVar[Callable[[Question], Answer] | None] = ContextVar("haven_ask", default=None)
