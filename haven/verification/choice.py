"""Which backup is verified, and what it is held against."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from haven.errors import Refused

# A moment near the edge of the window may be out of it by the time of the restore.
MARGIN = timedelta(minutes=10)


class Kind(StrEnum):
    """Which backup."""

    LATEST = "latest"
    RANDOM = "random"
    TIME = "time"
    SNAPSHOT = "snapshot"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Window:
    """An automated backup that can be restored from, and between which moments."""

    arn: str
    region: str
    earliest: datetime | None
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A snapshot of an instance."""

    name: str
    arn: str
    taken: datetime
    available: bool


def moment_in(window: Window, seed: int) -> datetime:
    """Choose a moment in a window, the same for the same seed. Raises ``Refused`` if it is empty."""
    earliest, latest = _bounds(window)
    margin = min(MARGIN, (latest - earliest) / 4)
    first, last = earliest + margin, latest - margin
    if last <= first:
        raise _empty(window)
    chance = random.Random(seed)  # noqa: S311  # a seeded choice, not a secret
    return first + (last - first) * chance.random()


def check_moment(window: Window, moment: datetime) -> None:
    """Raise ``Refused`` for a moment that the window does not have."""
    earliest, latest = _bounds(window)
    if not earliest <= moment <= latest:
        raise Refused(
            f"{moment:%Y-%m-%d %H:%M:%S %Z} cannot be restored to: the backups reach from "
            f"{earliest:%Y-%m-%d %H:%M:%S} to {latest:%Y-%m-%d %H:%M:%S} UTC.",
            left="Nothing was touched.",
            cure="Choose a moment between those two.",
        )


def choose_copy(copies: Sequence[Copy], name: str) -> Copy:
    """Return the snapshot of a name, or the newest that is available.

    Raises ``Refused`` when there is none.
    """
    fitting = [copy for copy in copies if copy.available and name in ("", copy.name, copy.arn)]
    if not fitting:
        wanted = f"no snapshot {name} that is available" if name else "no snapshot yet"
        raise Refused(
            f"There is {wanted}.",
            left="Nothing was touched.",
            cure="Known: " + (", ".join(sorted(copy.name for copy in copies)) or "none") + ".",
        )
    return max(fitting, key=lambda copy: copy.taken)


def _bounds(window: Window) -> tuple[datetime, datetime]:
    if window.earliest is None or window.latest is None:
        raise _empty(window)
    return window.earliest, window.latest


def _empty(window: Window) -> Refused:
    return Refused(
        f"The automated backup {window.arn} cannot be restored from yet.",
        left="Nothing was touched.",
        cure="Wait until the first backup is done and WAL was archived after it.",
    )
