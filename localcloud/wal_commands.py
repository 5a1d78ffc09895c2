"""The commands by which a server puts WAL into an archive and gets it back."""

from __future__ import annotations

import shlex
from pathlib import Path


def store(wal: Path) -> str:
    """Return the command that archives a segment, whole or not at all, however often it is run.

    What is handed over early is mostly zeros, which need no space where ``cp`` can leave holes.
    """
    place = _quoted(wal)
    partial = f"{place}/%f.$$.tmp"
    return (
        f'if test -e {place}/%f; then cmp -s "%p" {place}/%f; '
        f'else {{ cp --sparse=always "%p" {partial} 2>/dev/null || cp "%p" {partial}; }} '
        f"&& mv {partial} {place}/%f; fi"
    )


def fetch(wal: Path) -> str:
    """Return the command that brings a segment back."""
    return f'cp {_quoted(wal)}/%f "%p"'


def _quoted(path: Path) -> str:
    return shlex.quote(str(path)).replace("%", "%%")
