"""The statements that take most of the server's time, without any data that they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHOWN = 160
# Statements of these kinds come with their constants replaced; others may hold a password.
PLAIN = re.compile(r"\s*(select|insert|update|delete|merge|with)\b", re.IGNORECASE)
# Constants stay where an entry was made anew while its statement ran.
_QUOTED = re.compile(r"(?:[eEnNbBxX]|[uU]&)?'(?:[^']|'')*'?")
_COMMENT = re.compile(r"/\*.*?(?:\*/|$)|--[^\n]*", re.DOTALL)
_DOLLARS = re.compile(r"\$(\w*)\$.*?(?:\$\1\$|$)", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w$\"])\d[\d.]*(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement by its id: how often it ran, and for how long in all and at a time."""

    id: int
    calls: int
    total_ms: float
    mean_ms: float
    share: float
    text: str


def masked(text: str) -> str:
    """Return a statement on one line without constants; of other kinds its first word alone."""
    said = _COMMENT.sub(" ", text)
    if not PLAIN.match(said):
        first = said.split(maxsplit=1)
        return f"{first[0].upper()} …" if first else ""
    bare = _NUMBER.sub("?", _QUOTED.sub("?", _DOLLARS.sub("?", said)))
    line = " ".join(bare.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
