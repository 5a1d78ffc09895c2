"""A small file beside each cluster: which process serves it, so that nobody else is signalled."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from localcloud import processes
from localcloud.configuration import Files
from localcloud.unprivileged import Owner

LOG = logging.getLogger("localcloud")
# Where the sockets of a cluster are whose own directory has too long a path.
SOCKETS = "localcloud-"
_NAME = "server.json"
_QUIT_LIMIT = 5.0
_POLL = 0.02


def write(owner: Owner, files: Files, pid: int) -> None:
    """Record the server process of a cluster."""
    facts = {
        "pid": pid,
        "data": str(files.data),
        "started": processes.started(pid),
        "sockets": str(files.sockets),
    }
    owner.write(files.root / _NAME, json.dumps(facts))


def forget(files: Files) -> None:
    """Remove the record after a stop."""
    (files.root / _NAME).unlink(missing_ok=True)


def reap(clusters: Path) -> list[int]:
    """End the recorded servers that outlived a killed local cloud, and return their processes.

    Pid, data directory and start must all be those recorded; whatever else bears the pid is
    left alone.
    """
    records = [(path, _read(path)) for path in clusters.glob(f"*/{_NAME}")]
    found = [pid for path, facts in records if (pid := _survivor(path, facts)) is not None]
    for pid in found:
        LOG.warning("The server %d outlived the local cloud that started it; it is ended.", pid)
        processes.signal_family(pid, signal.SIGCONT)
        processes.signal_one(pid, signal.SIGQUIT)
    end = time.monotonic() + _QUIT_LIMIT
    pause = threading.Event()
    while any(_lives(pid) for pid in found) and time.monotonic() < end:
        pause.wait(_POLL)
    for path, facts in records:
        _end(path, facts)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _survivor(path: Path, facts: dict[str, Any]) -> int | None:
    """Return the pid of the recorded server if it still is that server."""
    pid, data, started = facts.get("pid"), facts.get("data"), facts.get("started")
    if not isinstance(pid, int) or not started or data != str(path.parent / "data"):
        return None
    same = processes.started(pid) == started and data in processes.arguments(pid)
    return pid if same else None


def _lives(pid: int) -> bool:
    return processes.started(pid) is not None


def _end(path: Path, facts: dict[str, Any]) -> None:
    pid = _survivor(path, facts)
    if pid is not None:
        processes.signal_family(pid, signal.SIGKILL)
    if facts.get("data") == str(path.parent / "data"):
        processes.end_inside(path.parent / "data")
    sockets = Path(str(facts.get("sockets", "")))
    if sockets.name.startswith(SOCKETS) and sockets.parent == Path(tempfile.gettempdir()):
        shutil.rmtree(sockets, ignore_errors=True)
    path.unlink(missing_ok=True)
