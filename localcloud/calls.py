"""The record of API calls, in order, so that a test can say what a flow asked for."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

_READING = (
    "Describe",
    "Get",
    "List",
    "Head",
    "Lookup",
    "Simulate",
    "BatchGet",
    "Search",
    "Select",
    "Query",
    "Scan",
    "Test",
    "Verify",
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateRandom",
    "AssumeRole",
    "Validate",
    "Download",
)


def mutates(operation: str) -> bool:
    """Tell from an operation's name whether it changes anything."""
    return not operation.startswith(_READING)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One API call and how it ended."""

    service: str
    operation: str
    region: str
    status: int
    error: str | None
    mutating: bool
    time: float
    duration: float


class Calls:
    """All calls since the start or the last clearing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Recorded] = []
        # On the monotonic clock.
        self._changed = 0.0

    def record(
        self,
        service: str,
        operation: str,
        region: str,
        status: int,
        error: str | None,
        duration: float,
    ) -> None:
        """Add one call that has just ended."""
        call = Recorded(
            service,
            operation,
            region,
            status,
            error,
            mutates(operation),
            time.time(),
            round(duration, 6),
        )
        with self._lock:
            self._calls.append(call)
            if call.mutating:
                self._changed = time.monotonic()

    @property
    def quiet(self) -> float:
        """The seconds since anything was asked to change."""
        with self._lock:
            return time.monotonic() - self._changed

    def table(self) -> list[dict[str, Any]]:
        """Return the calls, oldest first."""
        with self._lock:
            return [asdict(call) for call in self._calls]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()
