"""How fresh a restored copy is: what was lost, and whether it shows the moment that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from haven.verification.verdict import Check, Outcome, failed, passed

NAME = "freshness"
# Clocks of two servers, and moments in full seconds.
SLACK_S = 1.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """A beat: when it was written, and the how manieth it was."""

    at: datetime
    beats: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a copy is to show: exactly this moment, or that and a little more.

    A beat is written every ``interval`` seconds; ``limit`` is how many seconds older than the
    moment the last one may be.
    """

    moment: datetime
    exact: bool
    interval: float
    limit: float


def rpo_seconds(beat: datetime | None, wanted: datetime) -> float | None:
    """Return how much older a copy's last beat is than the moment that was wanted, in seconds."""
    return None if beat is None else round(max(0.0, (wanted - beat).total_seconds()), 3)


def freshness_check(copy: Pulse | None, source: Pulse | None, shown: Shown) -> Check:
    """Judge a copy by its last beat, held against the last beat of the source by now.

    Where the source was silent for a while, a copy may be as much older; how long that was is told
    by how many beats there were since.
    """
    if source is None:
        return Check(NAME, Outcome.NOTHING, ("the source has no heartbeat",))
    if copy is None:
        return failed(NAME, "the copy has no heartbeat, and the source has one")
    late = (shown.moment - copy.at).total_seconds()
    if shown.exact and late < -SLACK_S:
        return failed(NAME, f"the copy is {-late:.1f} s newer than the moment restored to")
    between = (source.at - copy.at).total_seconds()
    silent = max(0.0, between - (source.beats - copy.beats) * shown.interval)
    if late > shown.limit + silent and source.beats > copy.beats:
        return failed(NAME, f"the newest beat is {late:.0f} s older than the moment restored to")
    return passed(NAME, f"the newest beat is {max(late, 0.0):.1f} s old")
