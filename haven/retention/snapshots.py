"""Which snapshots stay, are to be archived, or go: everything that exists, the rules and the time.

A snapshot goes only when every rule lets it go. What keeps it is told by the first that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from haven.stack.housekeeping import SnapshotRules

AVAILABLE = "available"
# Whoever sets it on a snapshot keeps it; the value says why.
TAG_HOLD = "haven:hold"


class Fate(StrEnum):
    """What becomes of a snapshot."""

    KEEP = "keep"
    ARCHIVE = "archive"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as it was found.

    ``source`` is the resource id of its instance. ``ours`` says whether it bears the stack's tag,
    ``hold`` why somebody wants it kept, ``use`` what is at work with it. ``good`` is what the last
    verification of it found, None before the first. ``archived`` says that an archive of it was
    proven by loading it back.
    """

    name: str
    arn: str
    region: str
    source: str
    taken: datetime
    gib: int = 0
    manual: bool = True
    ours: bool = True
    status: str = AVAILABLE
    hold: str = ""
    use: str = ""
    good: bool | None = None
    archived: bool = False

    @property
    def address(self) -> str:
        """What plans call it."""
        return f"snapshot/{self.region}/{self.name}"


@dataclass(frozen=True, slots=True)
class Window:
    """Between which moments an instance can be restored to any."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """A snapshot, what becomes of it, and why."""

    snapshot: Snapshot
    fate: Fate
    because: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What snapshots are judged by.

    ``window_days`` is how far back every moment must be restorable; ``windows`` is how far the
    automated backups reach, by region and source.
    """

    snapshots: SnapshotRules
    window_days: int
    windows: Mapping[tuple[str, str], Window]
    limit: int


def judge(found: Sequence[Snapshot], rules: Rules, now: datetime) -> list[Judged]:
    """Judge every snapshot, the oldest first; at most ``rules.limit`` are to be deleted."""
    ordered = sorted(found, key=lambda one: (one.taken, one.region, one.name))
    copies = [one for one in ordered if _counts(one)]
    last, ranks = _last_copies(copies), _ranks(copies, rules.snapshots, now)
    judged = [_judge(one, rules, last, ranks, now) for one in ordered]
    left = rules.limit
    for place, one in enumerate(judged):
        if one.fate is Fate.DELETE:
            if not left:
                why = f"left for the next run, as one deletes at most {rules.limit}"
                judged[place] = replace(one, fate=Fate.KEEP, because=why)
            left = max(0, left - 1)
    return judged


def _judge(
    one: Snapshot,
    rules: Rules,
    last: Mapping[str, str],
    ranks: Mapping[str, str],
    now: datetime,
) -> Judged:
    held = _untouchable(one, rules, now) or last.get(one.arn)
    if held:
        return Judged(one, Fate.KEEP, held)
    if one.archived:
        return Judged(one, Fate.DELETE, "its archive is proven by loading it back")
    rank = ranks.get(one.arn)
    if rank is None:
        return Judged(one, Fate.DELETE, _why_not_kept(one, rules.snapshots, now))
    after = rules.snapshots.archive_after_days
    if after and now - one.taken > timedelta(days=after):
        return Judged(one, Fate.ARCHIVE, f"{rank}, and older than {after} days")
    return Judged(one, Fate.KEEP, rank)


def _untouchable(one: Snapshot, rules: Rules, now: datetime) -> str:
    """Say why a snapshot is not housekeeping's to touch at all, whatever the numbers are."""
    youngest = rules.snapshots.minimum_age_days
    reasons = (
        (not one.manual, "RDS made it, and removes it with its retention"),
        (not one.ours, "it does not bear the tag of this stack"),
        (bool(one.hold), f"it is held: {one.hold}"),
        (bool(one.use), f"it is in use: {one.use}"),
        (one.status != AVAILABLE, f"it is {one.status}"),
        (now - one.taken < timedelta(days=youngest), f"it is younger than {youngest} days"),
        (_bridges(one, rules, now), "the automated backups do not reach its moment"),
    )
    return next((reason for applies, reason in reasons if applies), "")


def _bridges(one: Snapshot, rules: Rules, now: datetime) -> bool:
    """Tell whether, within the window, it is the way back to a time that nothing else has."""
    if now - one.taken > timedelta(days=rules.window_days):
        return False
    window = rules.windows.get((one.region, one.source))
    return window is None or not window.earliest <= one.taken <= window.latest


def _counts(one: Snapshot) -> bool:
    """Tell whether it is a copy to go back to, so far as is known."""
    return one.manual and one.ours and one.status == AVAILABLE


def _by_instance(found: Sequence[Snapshot]) -> list[list[Snapshot]]:
    """Return the copies of each instance in each region, the newest first."""
    groups: dict[tuple[str, str], list[Snapshot]] = {}
    for one in reversed(found):
        groups.setdefault((one.region, one.source), []).append(one)
    return list(groups.values())


def _last_copies(found: Sequence[Snapshot]) -> dict[str, str]:
    """Say of each snapshot that no number and no age ends why it stays."""
    last: dict[str, str] = {}
    for group in _by_instance(found):
        newest = next((one for one in group if one.good is not False), group[0])
        last[newest.arn] = "it is the newest of its instance"
        proven = next((one for one in group if one.good), None)
        if proven is not None:
            last[proven.arn] = "it is the newest that was verified"
    return last


def _ranks(found: Sequence[Snapshot], rules: SnapshotRules, now: datetime) -> dict[str, str]:
    """Say of each snapshot that a number keeps which one it is."""
    oldest = now - timedelta(days=rules.maximum_age_days)
    ranks: dict[str, str] = {}
    for group in _by_instance(found):
        fit = [one for one in group if one.good is not False and one.taken >= oldest]
        for one in fit[: rules.newest]:
            ranks[one.arn] = f"it is of the {rules.newest} newest"
        for word, count, period in _periods(rules):
            for one in _first_of_each(fit, count, period):
                ranks.setdefault(one.arn, f"it is the newest of its {word}")
    return ranks


def _periods(
    rules: SnapshotRules,
) -> tuple[tuple[str, int, Callable[[datetime], object]], ...]:
    return (
        ("day", rules.daily, lambda at: at.date()),
        ("week", rules.weekly, lambda at: at.isocalendar()[:2]),
        ("month", rules.monthly, lambda at: (at.year, at.month)),
        ("year", rules.yearly, lambda at: at.year),
    )


def _first_of_each(
    found: Sequence[Snapshot], count: int, period: Callable[[datetime], object]
) -> Iterable[Snapshot]:
    seen: list[object] = []
    for one in found:
        when = period(one.taken)
        if when in seen:
            continue
        if len(seen) == count:
            return
        seen.append(when)
        yield one


def _why_not_kept(one: Snapshot, rules: SnapshotRules, now: datetime) -> str:
    if one.good is False:
        return "its last verification found it not good"
    age = (now - one.taken).days
    if age >= rules.maximum_age_days:
        return f"it is {age} days old, and {rules.maximum_age_days} are kept at most"
    return f"it is {age} days old, and no rule keeps it"
