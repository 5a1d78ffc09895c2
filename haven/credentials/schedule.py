"""Which credentials are due for a rotation, and which must wait for whom.

The application's credential alternates between two roles. Applications look up the pointer, which
names the secret of one of them; the other one is rotated, and then the pointer moves to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from haven.credentials.check import Credential
from haven.credentials.rotation import is_ours

APPLICATION = "application"
# A client may look up the pointer just before it moves, and the role's secret just before that
# look-up is too old: it then rightly holds the password for a second cache time.
LOOK_UPS = 2
# Secrets Manager may tell moments in full seconds.
ROUNDING = timedelta(seconds=1)
# A run that was killed is run again within this time, or the password is replaced once more.
FRESH = timedelta(days=1)


class Turn(StrEnum):
    """What a credential needs."""

    KEEP = "keep"
    # The role gets a new password.
    RENEW = "renew"
    # The password of the role that the pointer left is replaced, so that it lets nobody in.
    EXPIRE = "expire"
    # The role that is not in use gets a new password, and the pointer moves to it.
    MOVE = "move"


def is_due(credential: Credential, before: datetime) -> bool:
    """Tell whether the current version was made before a moment, or is not there at all."""
    return credential.since is None or credential.since < before


@dataclass(frozen=True, slots=True)
class Pointed:
    """Where the pointer points: to which secret and role, since when, and whether it ever moved.

    ``now`` is the moment of looking, by the clock of Secrets Manager.
    """

    arn: str
    secret: str
    role: str
    moved: datetime
    now: datetime
    ever_moved: bool = True


@dataclass(frozen=True, slots=True)
class Holding:
    """How long passwords may rightly be held: the cache time of clients and the grace period."""

    cache: timedelta
    grace: timedelta

    def until(self, moved: datetime) -> datetime:
        """Return when no client can hold the password of the role that the pointer left."""
        return moved + LOOK_UPS * self.cache + ROUNDING

    def expires(self, moved: datetime) -> datetime:
        """Return when the sessions of the role that the pointer left are ended."""
        return max(self.until(moved), moved + self.grace)


@dataclass(frozen=True, slots=True)
class Due:
    """What an alternating credential needs, and from when on it may be done.

    ``fresh`` tells that the role to move to has a new password already, which nobody holds: a run
    that was killed has given it that.
    """

    turn: Turn
    at: datetime
    fresh: bool = False


def _replaced(idle: Credential, moved: datetime) -> bool:
    current = idle.current
    return current is not None and current.created > moved and is_ours(idle, current.id)


def turn_of(
    active: Credential,
    idle: Credential,
    pointed: Pointed,
    before: datetime,
    holding: Holding,
) -> Due:
    """Return what an alternating credential needs.

    The pointer points to ``active``. The password of ``idle`` may be held by clients unless a
    rotation has replaced it since the pointer moved, or the pointer never named it; a new version
    that something else made may have the same password.
    """
    moved = pointed.moved
    held = pointed.ever_moved and not _replaced(idle, moved)
    if is_due(active, before):
        fresh = not held and not is_due(idle, max(before, pointed.now - FRESH))
        return Due(Turn.MOVE, holding.until(moved) if held else moved, fresh)
    return Due(Turn.EXPIRE if held else Turn.KEEP, holding.expires(moved))


@dataclass(frozen=True, slots=True)
class Work:
    """One credential to work on: which, what, from when on, and why."""

    name: str
    login: str
    due: Due
    because: str


def singles_due(
    logins: Sequence[str], credentials: Mapping[str, Credential], before: datetime
) -> list[Work]:
    """Return which logins get a new password: those whose current one was made before a moment."""
    return [
        Work(
            login,
            login,
            Due(Turn.RENEW, item.since or before),
            f"its password is of {_moment(item.since)}",
        )
        for login in logins
        if is_due(item := credentials[login], before)
    ]


def pair_due(
    credentials: Mapping[str, Credential],
    pair: tuple[str, str],
    pointed: Pointed,
    before: datetime,
    holding: Holding,
) -> Work | None:
    """Return what the application's credential needs, which alternates between two logins."""
    idle = pair[0] if pointed.role == pair[1] else pair[1]
    active = credentials[pointed.role]
    due = turn_of(active, credentials[idle], pointed, before, holding)
    if due.turn is Turn.MOVE:
        because = f"the password of {pointed.role} is of {_moment(active.since)}"
        return Work(APPLICATION, idle, due, because)
    if due.turn is Turn.EXPIRE:
        because = f"the pointer left {idle} at {_moment(pointed.moved)}"
        return Work(APPLICATION, idle, due, because)
    return None


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "no time"
