"""The two kinds of step: one that looks, one that changes.

A step is a plain function with a retry policy. Who runs it is decided by the engine of the
current context: on its own it is called here, with its retries; inside a Prefect flow the
engine of ``flows.engine`` makes it a task run with the same retries. So every operation runs
with no Prefect at all, and importing a step imports no Prefect.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from haven import aws, pg
from haven.errors import HavenError
from haven.waiting import SYSTEM_CLOCK, backoff

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a step is tried, and the delays in seconds (full jitter, doubling)."""

    attempts: int
    base: float
    cap: float


@dataclass(frozen=True, slots=True)
class Step:
    """What an engine needs to run a step."""

    name: str
    call: Callable[..., Any]
    retries: Retries
    subject: Callable[..., str]


class Engine(Protocol):
    """Runs steps."""

    def run(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one step and return its result."""


class PlainEngine:
    """Calls the function, again where waiting can cure what it raised."""

    def run(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one step and return its result; errors come out as Haven's own."""
        attempt = 0
        while True:
            try:
                return call_classified(step, args, kwargs)
            except HavenError as error:
                attempt += 1
                if attempt >= step.retries.attempts or not cured_by_waiting(error):
                    raise
            delay = backoff(attempt, base=step.retries.base, cap=step.retries.cap)
            SYSTEM_CLOCK.sleep(delay)


ENGINE: ContextVar[Engine] = ContextVar("haven_engine")
PLAIN = PlainEngine()
LOOK_RETRIES = Retries(attempts=5, base=0.2, cap=10)
CHANGE_RETRIES = Retries(attempts=8, base=0.5, cap=30)


def call_classified(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a step's function; what AWS and PostgreSQL raise comes out as Haven's errors."""
    with classified(step.subject(*args, **kwargs)):
        return step.call(*args, **kwargs)


@contextmanager
def classified(subject: str) -> Iterator[None]:
    """Turn what AWS and PostgreSQL raise in a block into Haven's errors about ``subject``."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise aws.aws_error(error, subject) from error
    except psycopg.Error as error:
        raise pg.sql_error(error, subject) from error


def cured_by_waiting(error: HavenError) -> bool:
    """Tell whether a classified error came from a code that waiting cures.

    A deadline that passed is not: its wait had its time already.
    """
    cause = error.__cause__
    if isinstance(cause, psycopg.Error):
        return pg.is_transient(cause)
    return cause is not None and aws.is_transient(cause)


def looks(function: Callable[P, R]) -> Callable[P, R]:
    """Make a step that only reads: retried freely."""
    return _step(function, LOOK_RETRIES)


def changes(function: Callable[P, R]) -> Callable[P, R]:
    """Make an idempotent step that changes something: retried where waiting cures the code."""
    return _step(function, CHANGE_RETRIES)


def _step(function: Callable[P, R], retries: Retries) -> Callable[P, R]:
    name = function.__name__.replace("_", " ")
    step = Step(name, function, retries, functools.partial(_subject, name))

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        result: R = ENGINE.get(PLAIN).run(step, args, kwargs)
        return result

    return run


def _subject(name: str, *args: object, **_: object) -> str:
    """Name what a step works on: the first argument that has an address, else the step."""
    for value in args:
        address = getattr(value, "address", None)
        if isinstance(address, str):
            return address
    return name
