"""Waiting as data: what to ask, what counts as there, what will never get there, how long.

One loop owns the clock. Nothing else in Haven sleeps.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from haven.errors import Failed, Unavailable

T = TypeVar("T")


class Clock(Protocol):
    """Time as the loop needs it."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


class SystemClock:
    """The machine's monotonic clock. Once stopped, every sleep ends at once with an error."""

    def __init__(self) -> None:
        """Start with nobody asking to stop."""
        self._stop = threading.Event()

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass. Raises ``Unavailable`` when the process is asked to stop."""
        if self._stop.wait(seconds):
            raise Unavailable(
                "Interrupted while waiting.",
                left="What was started goes on.",
                cure="Run the same command again to resume.",
            )

    def stop(self) -> None:
        """Ask every wait of this process to end."""
        self._stop.set()


SYSTEM_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Wait(Generic[T]):
    """A wait: ``probe`` until ``reached``, unless ``fatal`` says it never will be.

    ``fatal`` returns a reason, or nothing. ``interval`` and ``deadline`` are seconds.
    """

    what: str
    probe: Callable[[], T]
    reached: Callable[[T], bool]
    fatal: Callable[[T], str | None]
    interval: float
    deadline: float
    describe: Callable[[T], str] = field(default=str)


def wait_for(wait: Wait[T], *, clock: Clock = SYSTEM_CLOCK) -> T:
    """Run one wait and return what the last probe saw.

    Raises ``Failed`` when the state is fatal and ``Unavailable`` when the deadline passes.
    """
    end = clock.now() + wait.deadline
    while True:
        seen = wait.probe()
        if wait.reached(seen):
            return seen
        reason = wait.fatal(seen)
        if reason:
            raise Failed(
                f"Waiting for {wait.what} cannot succeed: {reason}.",
                left="Nothing was undone.",
                cure="Mend the cause, then run the same command again.",
            )
        if clock.now() >= end:
            raise Unavailable(
                f"{wait.what} was not reached in {wait.deadline:g} s; last seen: "
                f"{wait.describe(seen)}.",
                left="What was started goes on.",
                cure="Run the same command again to resume.",
            )
        clock.sleep(min(wait.interval, max(0.0, end - clock.now())))


def backoff(attempt: int, *, base: float, cap: float) -> float:
    """Return a full-jitter delay in seconds for the given attempt, counted from 0."""
    return random.uniform(0, min(cap, base * 2.0**attempt))  # noqa: S311  # jitter, not a secret
