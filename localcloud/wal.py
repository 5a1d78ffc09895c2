"""The names of archived WAL, and which of it a recovery needs. Segments are of 1 MB."""

from __future__ import annotations

import re
from collections.abc import Iterable

from localcloud.errors import LocalCloudError

_SEGMENT = re.compile(r"[0-9A-F]{24}")
# Also parts of segments, and the labels of backups.
_PLACED = re.compile(r"[0-9A-F]{24}(\.|$)")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_SIZE = 1 << 20
_IN_A_LOG = (1 << 32) // _SIZE


class MissingWalError(LocalCloudError):
    """A segment that a recovery needs is not in the archive."""


def number(segment: str) -> int:
    """Return the place of a segment in the sequence of all, on whatever timeline."""
    return int(segment[8:16], 16) * _IN_A_LOG + int(segment[16:], 16)


def timeline(segment: str) -> int:
    """Return the timeline a segment is of."""
    return int(segment[:8], 16)


def end(segment: str) -> str:
    """Return the position in WAL where a segment ends."""
    byte = (number(segment) + 1) * _SIZE
    return f"{byte >> 32:X}/{byte & 0xFFFFFFFF:X}"


def segments(names: Iterable[str]) -> list[str]:
    """Return those names that are of whole segments."""
    return [name for name in names if _SEGMENT.fullmatch(name)]


def needed(names: Iterable[str], first: str, last: str) -> list[str]:
    """Return the files that lead from one segment to another, over changes of timeline.

    Raises ``MissingWalError`` when one on the way is not there.
    """
    known = list(names)
    low, high = number(first), number(last)
    chosen = [
        name
        for name in segments(known)
        if low <= number(name) <= high and timeline(name) <= timeline(last)
    ]
    there = {number(name) for name in chosen}
    for place in range(low, high + 1):
        if place not in there or (place == high and last not in chosen):
            raise MissingWalError(
                f"WAL segment {place - low + 1} of {high - low + 1} after {first} is not in the "
                "archive."
            )
    return chosen + [name for name in known if _of_older(name, timeline(last))]


def _of_older(name: str, newest: int) -> bool:
    found = _HISTORY.fullmatch(name)
    return found is not None and int(found[1], 16) <= newest


def before(names: Iterable[str], first: str) -> list[str]:
    """Return the files that nobody needs who begins with ``first``."""
    return [name for name in names if _PLACED.match(name) and number(name[:24]) < number(first)]
