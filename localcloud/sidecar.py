"""A small file beside each cluster: which process serves it, so that nobody else is signalled."""

from __future__ import annotations

import json
import time
from pathlib import Path

from localcloud.configuration import Files
from localcloud.unprivileged import Owner


def _path(files: Files) -> Path:
    return files.root / "server.json"


def write(owner: Owner, files: Files, pid: int) -> None:
    """Record the server process of a cluster."""
    facts = {"pid": pid, "data": str(files.data), "started": time.time()}
    owner.write(_path(files), json.dumps(facts))


def forget(files: Files) -> None:
    """Remove the record after a stop."""
    _path(files).unlink(missing_ok=True)
