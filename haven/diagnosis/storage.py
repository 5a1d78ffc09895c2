"""Storage: when it will be full, by how it grew and by the rules of autoscaling; certificates.

Amazon RDS User Guide, "Managing capacity automatically with storage autoscaling": it grows when free
space is at most a tenth for five minutes, six hours after the last change at the soonest, by the
most of 10 GiB, a tenth, or what seven hours need; never to its ceiling or beyond.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from haven.diagnosis.findings import GIB, Finding, Limits, Trouble, shown

FREE_SHARE = 0.1
COOL_DOWN = timedelta(hours=6)
LOOK_AHEAD = timedelta(hours=7)
LEAST_GROWTH = 10
GROWTH_SHARE = 0.1
DAY = timedelta(days=1)
# Fewer hours say nothing of how it grows.
LEAST_SPAN = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Point:
    """How many bytes were free at a moment."""

    at: datetime
    free: float


@dataclass(frozen=True, slots=True)
class Volume:
    """The storage of an instance, in GiB; ``ceiling`` is autoscaling's, 0 where it is off.

    ``changed`` is when it last grew, None if that is not known to have been lately.
    """

    instance: str
    allocated: int
    ceiling: int
    points: tuple[Point, ...]
    changed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a volume is full, and whether autoscaling can be there before."""

    free: float
    per_day: float
    full_in: timedelta | None
    helps: bool
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that an instance shows, and the authority that issued it."""

    instance: str
    authority: str
    until: datetime


def growth(points: Sequence[Point]) -> float | None:
    """Return by how many bytes a day free space shrinks; None where too little is known.

    A jump upwards by gibibytes is more storage, or something large that was deleted, and no trend.
    """
    ordered = sorted(points, key=lambda point: point.at)
    if not ordered or ordered[-1].at - ordered[0].at < LEAST_SPAN:
        return None
    fallen = (before.free - after.free for before, after in pairwise(ordered))
    used = sum(one for one in fallen if one > -LEAST_GROWTH * GIB / 2)
    return max(0.0, used / ((ordered[-1].at - ordered[0].at) / DAY))


def outlook(volume: Volume, now: datetime) -> Outlook | None:
    """Say when a volume is full if it goes on as it did; None where nothing was measured."""
    if not volume.points:
        return None
    free = max(volume.points, key=lambda point: point.at).free
    per_day = growth(volume.points) or 0.0
    full_in = DAY * (free / per_day) if per_day else None
    why_not = _why_it_cannot_grow(volume, per_day)
    if not why_not and full_in is not None:
        why_not = _why_too_late(volume, free, per_day, now)
    return Outlook(free, per_day, full_in, not why_not, why_not)


def next_growth(volume: Volume, per_day: float) -> int:
    """Return by how many GiB autoscaling makes a volume grow."""
    needed = per_day * (LOOK_AHEAD / DAY) / GIB
    return max(LEAST_GROWTH, round(volume.allocated * GROWTH_SHARE), round(needed))


def _why_it_cannot_grow(volume: Volume, per_day: float) -> str:
    if not volume.ceiling:
        return "autoscaling is off"
    step = next_growth(volume, per_day)
    if volume.allocated + step >= volume.ceiling:
        return f"another {step} GiB would reach autoscaling's ceiling of {volume.ceiling} GiB"
    return ""


def _why_too_late(volume: Volume, free: float, per_day: float, now: datetime) -> str:
    """Say why the rest is used up before autoscaling may act again.

    Once it acts, it adds what seven hours need, and rests for six.
    """
    cool = max(timedelta(0), volume.changed + COOL_DOWN - now) if volume.changed else timedelta(0)
    tenth = volume.allocated * GIB * FREE_SHARE
    until_it_fires = DAY * (max(0.0, free - tenth) / per_day)
    full_in = DAY * (free / per_day)
    if max(cool, until_it_fires) >= full_in:
        hours = cool.total_seconds() / 3600
        return f"autoscaling rests for another {hours:.1f} hours after its last change"
    return ""


def storage(volumes: Sequence[Volume], limits: Limits, now: datetime) -> Iterator[Finding]:
    """Yield volumes that will be full and that autoscaling does not save."""
    for volume in volumes:
        seen = outlook(volume, now)
        if seen is None or seen.helps:
            continue
        soon = seen.full_in is not None and seen.full_in <= limits.full_within
        low = seen.free <= volume.allocated * GIB * FREE_SHARE
        if soon or low:
            yield _full(volume, seen, limits)


def _full(volume: Volume, seen: Outlook, limits: Limits) -> Finding:
    when = "" if seen.full_in is None else f", full in {seen.full_in / DAY:,.1f} days"
    more = max(volume.allocated + next_growth(volume, seen.per_day), round(volume.allocated * 1.2))
    return Finding(
        Trouble.STORAGE,
        volume.instance,
        f"{shown(seen.free)} of {volume.allocated} GiB are free{when}, and {seen.why_not}",
        f"set [storage] allocated_gib = {more} and max_allocated_gib = {more * 2} in the stack file, "
        "and run provision",
        urgent=seen.full_in is not None and seen.full_in <= limits.urgent_full_within,
    )


def certificates(found: Sequence[Certificate], limits: Limits, now: datetime) -> Iterator[Finding]:
    """Yield certificates that end soon: with one that has ended nobody gets in any more."""
    for one in found:
        left = one.until - now
        if left <= limits.certificate_within:
            yield Finding(
                Trouble.CERTIFICATE,
                one.instance,
                f"its certificate of {one.authority} ends on {one.until:%Y-%m-%d}, in {left.days} days",
                f"aws rds modify-db-instance --db-instance-identifier {one.instance} "
                f"--ca-certificate-identifier {one.authority} --apply-immediately",
                urgent=left <= limits.urgent_certificate_within,
            )
