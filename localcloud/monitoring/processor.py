"""The processor time of a server and its children, from the kernel's tables."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_SHORTEST = 1.0
# Fields of /proc/PID/stat after the name (proc_pid_stat(5)), counted from the state.
_OWN, _REAPED, _STARTED = slice(11, 13), slice(13, 15), 19


def _fields(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text.rpartition(")")[2].split()


def _spent(pid: int, parts: tuple[slice, ...]) -> float:
    try:
        fields = _fields(pid)
    except OSError:
        # It ended; its parent has its time from now on.
        return 0.0
    return sum(int(tick) for part in parts for tick in fields[part]) / _TICK


def seconds(server: int) -> float:
    """Return the processor time of a server process, its children, and those that have ended."""
    try:
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    except OSError:
        return 0.0
    living = sum(_spent(int(child), (_OWN,)) for child in children)
    return living + _spent(server, (_OWN, _REAPED))


class Meter:
    """Percent of the machine a server used between two looks."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[float, float]] = {}
        self._last: dict[int, float] = {}

    def percent(self, server: int) -> float:
        """Return the use since the look before, or since the server's start."""
        now, spent = time.monotonic(), seconds(server)
        moment, before = self._before.get(server) or (_started(server, now), 0.0)
        if now - moment >= _SHORTEST or server not in self._last:
            share = (spent - before) / max(now - moment, _SHORTEST) / (os.cpu_count() or 1)
            self._before[server] = now, spent
            self._last[server] = min(100.0, max(0.0, 100.0 * share))
        return self._last[server]

    def forget_all_but(self, servers: set[int]) -> None:
        """Keep nothing of servers that are gone."""
        for server in self._last.keys() - servers:
            del self._last[server], self._before[server]


def _started(server: int, otherwise: float) -> float:
    try:
        return int(_fields(server)[_STARTED]) / _TICK
    except OSError:
        return otherwise
