"""What is wrong with a stack's heartbeat, told from what each server has of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Seen:
    """A server, its own DbiResourceId, and the beat it has; or why it could not be asked."""

    server: str
    instance: str
    beat: Beat | None
    unreachable: str = ""


class Trouble(StrEnum):
    """What can be wrong."""

    NEVER = "never"
    STALE = "stale"
    ELSEWHERE = "elsewhere"
    BEHIND = "behind"
    UNREACHABLE = "unreachable"


# Of replicas: the heartbeat itself is well.
NOTES = frozenset({Trouble.BEHIND, Trouble.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, of which server, and what to do."""

    trouble: Trouble
    server: str
    text: str
    cure: str

    @property
    def is_note(self) -> bool:
        """Tell whether it is about a replica, while the heart beats."""
        return self.trouble in NOTES


def lag(writer: Beat | None, replica: Beat | None) -> float | None:
    """Return how many seconds of the writer's beats a replica lacks; None where that is not known.

    Both times are by the writer's clock. The writer must have been asked first: what is read of
    the replica afterwards may be newer, which is no lag.
    """
    if writer is None or replica is None:
        return None
    return max(0.0, (writer.beat_at - replica.beat_at).total_seconds())


def findings(writer: Seen, replicas: Sequence[Seen], limit: float) -> list[Finding]:
    """Return everything that is wrong; ``limit`` is the age in seconds that a beat may have."""
    found = [*_of_writer(writer, limit)]
    for replica in replicas:
        found += _of_replica(writer, replica, limit)
    return found


def _of_writer(seen: Seen, limit: float) -> Iterator[Finding]:
    beat, start = seen.beat, "Start 'haven heartbeat', and let something keep it running."
    if beat is None:
        text = "it has no heartbeat of the stack"
        yield Finding(Trouble.NEVER, seen.server, text, f"Run migrate. {start}")
        return
    if beat.age_s > limit:
        text = f"its last beat is {beat.age_s:.0f} s old, and {limit:g} s are allowed"
        yield Finding(Trouble.STALE, seen.server, text, start)
    if beat.instance != seen.instance:
        text = f"its last beat is of {beat.instance}, and the writer is {seen.instance}"
        cure = "Wait for the next beat; if it names that one again, start 'haven heartbeat' anew."
        yield Finding(Trouble.ELSEWHERE, seen.server, text, cure)


def _of_replica(writer: Seen, seen: Seen, limit: float) -> Iterator[Finding]:
    if seen.unreachable:
        cure = "Look at the instance, then run this again."
        yield Finding(Trouble.UNREACHABLE, seen.server, seen.unreachable, cure)
        return
    behind = lag(writer.beat, seen.beat)
    cure = "Look at its alarm of replica lag, and at what it is busy with."
    if writer.beat is not None and behind is None:
        yield Finding(Trouble.BEHIND, seen.server, "no beat has come to it yet", cure)
    elif behind is not None and behind > limit:
        text = f"it is {behind:.0f} s behind the writer, and {limit:g} s are allowed"
        yield Finding(Trouble.BEHIND, seen.server, text, cure)
