"""What divides the row versions of a restored copy: a manifest's snapshot, and the moment restored to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

# PostgreSQL, "pg_snapshot components": xmin:xmax:xip_list, in transaction identifiers of 64 bits.
_SNAPSHOT = re.compile(r"(\d+):(\d+):((?:\d+,)*\d+)?")
_NARROW = 2**32


@dataclass(frozen=True, slots=True)
class Horizon:
    """Transactions before ``oldest`` were over, those from ``newest`` on had not begun.

    Of those between, ``at_work`` were known to be at work. All are identifiers of 32 bits, as row
    versions carry them. What was committed after ``until`` is not in the copy.
    """

    oldest: int
    newest: int
    at_work: tuple[int, ...]
    until: datetime


def horizon(snapshot: str, until: datetime) -> Horizon:
    """Read a snapshot as PostgreSQL writes it. Raises ``ValueError`` for what is none."""
    match = _SNAPSHOT.fullmatch(snapshot)
    if match is None:
        raise ValueError(f"{snapshot!r} is no snapshot")
    listed = match[3].split(",") if match[3] else []
    return Horizon(
        _narrow(match[1]), _narrow(match[2]), tuple(_narrow(one) for one in listed), until
    )


def age(transaction: int, latest: int) -> int:
    """Return how many transactions before the latest one was, as identifiers go round."""
    return (latest - transaction) % _NARROW


def _narrow(text: str) -> int:
    return int(text) % _NARROW
