"""The service clock: real time, and what the control endpoint has added to it."""

from __future__ import annotations

import datetime as dt
import threading
import time

LONGEST_STEP = 21600.0


class ClockError(ValueError):
    """The clock is asked to do what it cannot."""


class Clock:
    """Time as metrics, alarms and the time-outs of proxies see it. It never runs backwards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moves: list[tuple[dt.datetime, float]] = []

    @property
    def ahead(self) -> float:
        """How many seconds the clock is ahead of real time."""
        return self._moves[-1][1] if self._moves else 0.0

    def now(self) -> dt.datetime:
        """Return the present moment, in UTC."""
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        """Return seconds that only differences have a meaning of."""
        return time.monotonic() + self.ahead

    def at(self, real: dt.datetime) -> dt.datetime:
        """Return what this clock showed at a moment of real time."""
        ahead = 0.0
        for moved, total in self._moves:
            if moved <= real:
                ahead = total
        return real + dt.timedelta(seconds=ahead)

    def advance(self, seconds: float) -> None:
        """Move forward, at most six hours at once; raise ``ClockError`` for any other number."""
        if not 0 < seconds <= LONGEST_STEP:
            raise ClockError(f"advance takes more than 0 and at most {LONGEST_STEP:g} seconds.")
        with self._lock:
            self._moves.append((dt.datetime.now(dt.UTC), self.ahead + seconds))
