"""How long things take: seconds per kind of operation, changed while running."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

KINDS = (
    "api",
    "instance",
    "replica",
    "proxy",
    "modify",
    "reboot",
    "delete",
    "promote",
    "snapshot",
    "export",
    # Of an object, from one bucket to another.
    "replication",
    # Of the allocated storage of what is restored, on top of ``instance``.
    "restore-per-gib",
)


class UnknownKindError(ValueError):
    """A latency was given for a kind that does not exist, or is not a duration."""


class Latency:
    """Seconds per kind; every kind starts at 0."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self._seconds = dict.fromkeys(KINDS, 0.0)
        self._stop = threading.Event()
        self.update(seconds or {})

    def update(self, seconds: Mapping[str, float]) -> None:
        """Set some kinds; raise ``UnknownKindError`` and change nothing when one is unknown."""
        for kind, value in seconds.items():
            if kind not in self._seconds:
                raise UnknownKindError(f"{kind} is not one of {', '.join(KINDS)}.")
            if not (math.isfinite(value) and value >= 0):
                raise UnknownKindError(f"{kind} needs a number of seconds, not {value}.")
        self._seconds.update({kind: float(value) for kind, value in seconds.items()})

    def of(self, kind: str) -> float:
        """Return the seconds one kind takes."""
        return self._seconds[kind]

    def table(self) -> dict[str, float]:
        """Return all kinds with their seconds."""
        return dict(self._seconds)

    def wait(self, seconds: float) -> bool:
        """Let ``seconds`` pass; return true when the local cloud stops meanwhile."""
        return self._stop.wait(max(0.0, seconds))

    @property
    def passes(self) -> bool:
        """Tell whether time may be waited for: not while the local cloud stops."""
        return not self._stop.is_set()

    def stop(self) -> None:
        """End every wait, now and until ``resume``."""
        self._stop.set()

    def resume(self) -> None:
        """Let waits last again."""
        self._stop.clear()
