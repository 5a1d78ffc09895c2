"""The mark that a promotion leaves on its candidate, so that a later run knows what is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from haven.errors import InvalidRequest
from haven.promotion.choice import Mode


@dataclass(frozen=True, slots=True)
class Mark:
    """A promotion under way: how, to which epoch, since when."""

    mode: Mode
    epoch: int
    since: datetime

    @property
    def text(self) -> str:
        """Write it as a tag's value."""
        return f"{self.mode} {self.epoch} {self.since.isoformat(timespec='milliseconds')}"


def read_mark(text: str) -> Mark | None:
    """Read a tag's value; nothing where there is no mark. Raises ``InvalidRequest`` on any other."""
    if not text:
        return None
    try:
        mode, epoch, since = text.split(" ")
        return Mark(Mode(mode), int(epoch), datetime.fromisoformat(since))
    except ValueError:
        raise InvalidRequest(
            f"The tag haven:promotion says {text!a}, which no promotion writes.",
            left="Nothing was touched.",
            cure="Find out who wrote it, and remove it.",
        ) from None
