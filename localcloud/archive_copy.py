"""An archive followed by a copy of it, which needs nothing of the first afterwards."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

from localcloud import backup, seal, wal
from localcloud.archive import Base, Store
from localcloud.kept import Kept
from localcloud.unprivileged import Owner


def bring(source: Store, target: Store, owner: Owner, lock: threading.RLock) -> None:
    """Copy the bases and the WAL that the target lacks; only then it can restore more."""
    with lock:
        bases, points = list(source.bases), list(source.points)
        known = {base.ended for base in target.bases}
        last = target.latest
    if last is None:
        # What was before the copy began is not in it.
        bases = bases[-1:]
    fresh = [
        _copied(base, target, owner)
        for base in bases
        if base.ended not in known and (last is None or base.ended > last)
    ]
    held = [*target.bases, *fresh]
    if not held:
        return
    names = source.names()
    for name in sorted({*names} - {*wal.before(names, held[0].first)} - {*target.names()}):
        _copy(source.wal / name, target.wal / name, owner)
    with lock:
        target.bases += fresh
        begin = target.bases[0].ended
        target.points += [
            point for point in points if point.moment >= begin and (not last or point.moment > last)
        ]


def _copied(base: Base, target: Store, owner: Owner) -> Base:
    place = target.directory / secrets.token_hex(8)
    with base.copy.held() as directory:
        backup.copy(directory, place, owner)
    seal.put(place)
    return Base(Kept(place), base.first, base.ended)


def _copy(path: Path, target: Path, owner: Owner) -> None:
    """Copy a segment; the zeros at its end, of one handed over early, need no space."""
    content = path.read_bytes()
    partial = target.with_name(target.name + ".tmp")
    with partial.open("wb") as there:
        there.write(content.rstrip(b"\0"))
        there.truncate(len(content))
    partial.chmod(0o600)
    owner.take(partial)
    partial.replace(target)
