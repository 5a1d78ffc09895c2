"""The processes of this machine: which they are, and signals to whole servers.

Linux tells all of it in /proc. Elsewhere ``ps`` tells what identifies a process, and a server's
children are left to notice by themselves that it is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

_PROC = Path("/proc")
_END_LIMIT = 10.0
_POLL = 0.01
# Fields of /proc/PID/stat after the command, which may contain blanks.
_STATE, _PARENT, _STARTED = 0, 1, 19


def _stat(pid: int) -> list[str]:
    """Return the fields of a process; none for one that is gone or has ended."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []
    return [] if fields[_STATE] in "ZX" else fields


def _all() -> list[int]:
    if not _PROC.is_dir():
        return []
    return [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]


def started(pid: int) -> str | None:
    """Return when a living process started, in the system's own words; nothing for any other."""
    if _PROC.is_dir():
        fields = _stat(pid)
        return fields[_STARTED] if fields else None
    return _told("lstart", pid)


def arguments(pid: int) -> list[str]:
    """Return the command line of a process, empty when it cannot be told."""
    if _PROC.is_dir():
        try:
            raw = (_PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return []
        return [os.fsdecode(part) for part in raw.split(b"\0")]
    return (_told("args", pid) or "").split()


def _told(column: str, pid: int) -> str | None:
    program = shutil.which("ps") or "/bin/ps"
    done = subprocess.run(  # noqa: S603  # a system program
        [program, "-ww", "-o", f"{column}=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def signal_family(pid: int, number: signal.Signals) -> None:
    """Signal a server, then its children: it cannot start another one in between."""
    # Before a kill, after which they would be nobody's.
    children = _children(pid)
    signal_one(pid, number)
    if number is not signal.SIGKILL:
        children = _children(pid)
    for child in children:
        signal_one(child, number)


def _children(pid: int) -> list[int]:
    return [other for other in _all() if (fields := _stat(other)) and int(fields[_PARENT]) == pid]


def signal_one(pid: int, number: signal.Signals) -> None:
    """Signal one process, if it is there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def end_inside(directory: Path) -> None:
    """Kill what is left of a server whose first process has ended: PostgreSQL in its data."""
    end = time.monotonic() + _END_LIMIT
    pause = threading.Event()
    while (left := _servers_inside(directory)) and time.monotonic() < end:
        for pid in left:
            signal_one(pid, signal.SIGKILL)
        pause.wait(_POLL)


def _servers_inside(directory: Path) -> list[int]:
    return [pid for pid in _all() if _works_in(pid, directory) and _stat(pid)]


def _works_in(pid: int, directory: Path) -> bool:
    try:
        inside = (_PROC / str(pid) / "cwd").readlink() == directory
        return inside and (_PROC / str(pid) / "exe").readlink().name == "postgres"
    except OSError:
        return False
