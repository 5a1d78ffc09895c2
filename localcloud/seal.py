"""What a copy consists of, written when it is complete, so that damage to it is found."""

from __future__ import annotations

import json
import os
from pathlib import Path

from localcloud.errors import ClusterError

NAME = "seal.json"


def put(directory: Path) -> None:
    """Write down every file."""
    (directory / NAME).write_text(json.dumps(_table(directory)))


def check(directory: Path) -> None:
    """Raise ``ClusterError`` when a file is missing, added or changed."""
    try:
        sealed = json.loads((directory / NAME).read_text())
    except (OSError, ValueError) as error:
        raise ClusterError(f"The copy {directory.name} is not complete: {error}") from error
    present = _table(directory)
    for name in sorted(sealed.keys() | present.keys()):
        if sealed.get(name) != present.get(name):
            raise ClusterError(f"The copy {directory.name} is damaged: {name}.")


def _table(directory: Path) -> dict[str, list[int]]:
    """Return size and time of every file: nobody writes to a copy once it is complete."""
    found = {}
    for here, _, files in os.walk(directory):
        for name in files:
            if name != NAME:
                path = Path(here, name)
                facts = path.stat()
                found[str(path.relative_to(directory))] = [facts.st_size, facts.st_mtime_ns]
    return found
