"""The heartbeat of a stack: one row, written on the primary and read wherever it has come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from haven.errors import Failed
from haven.pg import Connection
from haven.sql import QUERIES


@dataclass(frozen=True, slots=True)
class Beat:
    """The last beat of a stack as one server knows it.

    ``beat_at`` is by the clock of the server that it was written to, ``age_s`` in seconds by the
    clock of the one that was asked. ``instance`` is the DbiResourceId of the one written to.
    """

    stack: str
    beat_at: datetime
    beats: int
    epoch: int
    instance: str
    age_s: float


def read_beat(connection: Connection, stack: str) -> Beat | None:
    """Return a stack's last beat on this server; nothing when it has no table or no row for it."""
    (exists,) = connection.execute(QUERIES["heartbeat_exists"]).fetchone() or (False,)
    if not exists:
        return None
    row = connection.execute(QUERIES["heartbeat_read"], {"stack": stack}).fetchone()
    return None if row is None else _beat(row)


def write_beat(connection: Connection, stack: str, *, instance: str, who: str) -> Beat:
    """Write one beat of a stack, as a statement of its own, and return it.

    ``instance`` is the DbiResourceId of the instance that ``connection`` leads to.
    """
    row = connection.execute(
        QUERIES["heartbeat_write"], {"stack": stack, "instance": instance, "who": who}
    ).fetchone()
    if row is None:
        raise Failed(f"The heartbeat of {stack} was not written, though the server took it.")
    return _beat(row)


def _beat(row: tuple[Any, ...]) -> Beat:
    stack, beat_at, beats, epoch, instance, age = row
    return Beat(stack, beat_at, beats, epoch, instance, age)
