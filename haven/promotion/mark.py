"""The mark that a promotion leaves on its candidate, so that a later run knows what is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from haven.errors import InvalidRequest
from haven.promotion.choice import Mode


@dataclass(frozen=True, slots=True)
class Mark:
    """A promotion under way: how, to which epoch, since when.

    ``asked`` is when RDS was last asked to promote, ``moment`` the one that a rewind goes back to.
    """

    mode: Mode
    epoch: int
    since: datetime
    asked: datetime | None = None
    moment: datetime | None = None

    @property
    def text(self) -> str:
        """Write it as a tag's value."""
        words = [self.mode, str(self.epoch), self.since.isoformat(timespec="milliseconds")]
        if self.asked is not None:
            words.append(f"asked={self.asked.isoformat(timespec='milliseconds')}")
        if self.moment is not None:
            words.append(f"moment={self.moment.isoformat()}")
        return " ".join(words)


def read_mark(text: str) -> Mark | None:
    """Read a tag's value; nothing where there is no mark. Raises ``InvalidRequest`` on any other."""
    if not text:
        return None
    try:
        mode, epoch, since, *more = text.split(" ")
        times = {
            key: datetime.fromisoformat(value) for key, value in (one.split("=") for one in more)
        }
        return Mark(Mode(mode), int(epoch), datetime.fromisoformat(since), **times)
    except (ValueError, TypeError):
        raise InvalidRequest(
            f"The tag haven:promotion says {text!a}, which no promotion writes.",
            left="Nothing was touched.",
            cure="Find out who wrote it, and remove it.",
        ) from None
