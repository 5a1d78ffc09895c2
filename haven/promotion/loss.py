"""What a promotion may lose, as intervals: what is not known has no upper end, and says so."""

from __future__ import annotations

from dataclasses import dataclass

from haven.promotion.observed import Candidate, Source


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``; without a ``high``, nobody knows how much at most."""

    low: float
    high: float | None

    @property
    def is_nothing(self) -> bool:
        """Tell whether it is known to be nothing."""
        return self.high == 0

    def holds(self, value: float) -> bool:
        """Tell whether a value lies in it."""
        return self.low <= value and (self.high is None or value <= self.high)

    def said(self, unit: str) -> str:
        """Say it with its unit."""
        if self.high is None:
            return f"at least {self.low:g} {unit}" if self.low else f"unknown {unit}"
        if self.low == self.high:
            return f"{self.low:g} {unit}"
        return f"{self.low:g} to {self.high:g} {unit}"


@dataclass(frozen=True, slots=True)
class Loss:
    """Acknowledged rows, bytes of WAL and seconds of writing that the new primary may lack."""

    rows: Interval
    bytes: Interval
    seconds: Interval

    @property
    def text(self) -> str:
        """Say it in one line."""
        return ", ".join(
            (self.rows.said("rows"), self.bytes.said("bytes of WAL"), self.seconds.said("s"))
        )


NOTHING = Loss(Interval(0, 0), Interval(0, 0), Interval(0, 0))


def expected_loss(source: Source, candidate: Candidate) -> Loss:
    """Return what promoting a replica now would lose, as far as can be told without the primary.

    What came after the last heartbeat that the replica has may be lost: that is the upper end in
    seconds, by the clocks of both servers. How many rows that is, only the old primary can tell. A
    primary that answers has an end; one that does not may have written on.
    """
    missing = max(0, max(source.end or 0, candidate.heard) - candidate.end)
    seconds = None if candidate.beat_age is None else max(0.0, round(candidate.beat_age, 3))
    high = missing if source.reachable else None
    return Loss(
        rows=Interval(0, 0 if high == 0 else None),
        bytes=Interval(missing, high),
        seconds=Interval(0, 0 if high == 0 else seconds),
    )
