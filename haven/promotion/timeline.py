"""When each part of a promotion began and ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Timeline:
    """Laps by name, in seconds since the begin by a monotonic clock. A lap may be run again."""

    now: Callable[[], float]
    begin: float = 0.0
    laps: list[tuple[str, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin now."""
        self.begin = self.now()

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Note when a block ran, also one that fails."""
        started = self.now() - self.begin
        try:
            yield
        finally:
            self.laps.append((name, round(started, 3), round(self.now() - self.begin, 3)))

    def began(self, name: str) -> float | None:
        """Return when the first lap of a name began."""
        return next((start for lap, start, _ in self.laps if lap == name), None)

    def ended(self, name: str) -> float | None:
        """Return when the last lap of a name ended."""
        return next((end for lap, _, end in reversed(self.laps) if lap == name), None)

    def between(self, start: float | None, end: float | None) -> float | None:
        """Return the seconds from one to the other, where both are known."""
        return None if start is None or end is None else round(end - start, 3)
