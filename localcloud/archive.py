"""The backups of one instance: base backups, archived WAL, and the moments that can be restored."""

from __future__ import annotations

import bisect
import datetime as dt
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from localcloud import wal
from localcloud.errors import LocalCloudError
from localcloud.kept import Kept
from localcloud.unprivileged import Owner


class OutsideWindowError(LocalCloudError):
    """A moment cannot be restored."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base backup: any moment after its end can be reached from it."""

    copy: Kept
    first: str
    ended: dt.datetime


@dataclass(frozen=True, slots=True)
class Point:
    """A moment whose commits are all in the archive, and one after it; the segment is the last."""

    moment: dt.datetime
    segment: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore is made from; without a moment it goes to the end of ``last``."""

    base: Base
    files: list[str]
    last: str
    moment: dt.datetime | None


@dataclass(slots=True)
class Store:
    """Where the backups of one instance are. Changed under the runtime's lock."""

    directory: Path
    bases: list[Base] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    @property
    def wal(self) -> Path:
        """Where its WAL goes."""
        return self.directory / "wal"

    def names(self) -> list[str]:
        """Return what is archived."""
        return [path.name for path in self.wal.iterdir() if path.suffix != ".tmp"]

    @property
    def earliest(self) -> dt.datetime | None:
        """The first moment that can be restored."""
        return self.bases[0].ended if self.bases and self.points else None

    @property
    def latest(self) -> dt.datetime | None:
        """The last moment that can be restored."""
        return self.points[-1].moment if self.bases and self.points else None

    def prepare(self, owner: Owner) -> None:
        """Make its directories."""
        owner.directory(self.directory)
        owner.directory(self.wal)

    def add(self, point: Point) -> None:
        """Add a moment that can be restored; two that were waited for may come in any order."""
        bisect.insort(self.points, point, key=lambda known: known.moment)

    def remove(self) -> None:
        """Remove everything; who reads a base may read it to the end."""
        for base in self.bases:
            base.copy.discard()
        self.bases.clear()
        self.points.clear()
        shutil.rmtree(self.wal, ignore_errors=True)
        if self.directory.is_dir() and not any(self.directory.iterdir()):
            self.directory.rmdir()


def plan(store: Store, moment: dt.datetime | None) -> Plan:
    """Return how to restore a moment, or the latest one.

    Raises ``OutsideWindowError`` for a moment before or after all that is kept, and
    ``MissingWalError`` when WAL on the way is lost.
    """
    if store.earliest is None or store.latest is None:
        raise OutsideWindowError("There is no backup yet.")
    wanted = store.latest if moment is None else moment
    if wanted > store.latest:
        raise OutsideWindowError(f"later than {store.latest}")
    if wanted < store.earliest:
        raise OutsideWindowError(f"earlier than {store.earliest}")
    base = [found for found in store.bases if found.ended <= wanted][-1]
    place = bisect.bisect_left([point.moment for point in store.points], wanted)
    last = store.points[place].segment if moment is not None else store.points[-1].segment
    files = wal.needed(store.names(), base.first, last)
    return Plan(base, files, last, moment)


def expired(
    bases: Iterable[Base], oldest: dt.datetime, shown: Callable[[dt.datetime], dt.datetime]
) -> list[Base]:
    """Return the bases that ended before ``oldest``, except the newest of all.

    ``shown`` is what the clock that ``oldest`` is of showed at a moment.
    """
    known = list(bases)
    return [base for base in known[:-1] if shown(base.ended) < oldest]


def forget(store: Store, base: Base) -> None:
    """Let go of a base, of the WAL that only it needed, and of the moments before the next."""
    store.bases.remove(base)
    base.copy.discard()
    if not store.bases:
        return
    first = store.bases[0]
    store.points = [point for point in store.points if point.moment >= first.ended]
    for name in wal.before(store.names(), first.first):
        (store.wal / name).unlink(missing_ok=True)
