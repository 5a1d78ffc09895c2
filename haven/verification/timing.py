"""How fresh a restored copy is: what was lost, and whether it shows the moment that was asked for."""

from __future__ import annotations

from datetime import datetime

from haven.verification.verdict import Check, Outcome, failed, passed

NAME = "freshness"
# Clocks of two servers, and moments in full seconds.
SLACK_S = 1.0


def rpo_seconds(beat: datetime | None, wanted: datetime) -> float | None:
    """Return how much older a copy's last beat is than the moment that was wanted, in seconds."""
    return None if beat is None else round(max(0.0, (wanted - beat).total_seconds()), 3)


def freshness_check(
    copy: datetime | None,
    source: datetime | None,
    moment: datetime,
    limit: float,
    *,
    exact: bool,
) -> Check:
    """Judge a copy by its last beat, which is written every few seconds while the source lives.

    ``source`` is the last beat of the source by now; without one nothing beats, and nothing is
    known. ``moment`` is what the copy shows: exactly, or that and a little more. ``limit`` is how
    many seconds older the last beat may be.
    """
    if source is None:
        return Check(NAME, Outcome.NOTHING, ("the source has no heartbeat",))
    if copy is None:
        return failed(NAME, "the copy has no heartbeat, and the source has one")
    late = (moment - copy).total_seconds()
    if exact and late < -SLACK_S:
        return failed(NAME, f"the copy is {-late:.1f} s newer than the moment restored to")
    missed = (source - copy).total_seconds()
    if late > limit and missed > 0:
        return failed(NAME, f"the newest row is {late:.0f} s older than the moment restored to")
    return passed(NAME, f"the newest beat is {max(late, 0.0):.1f} s old")
