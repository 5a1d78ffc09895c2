"""What is to go wrong with the restores that are asked for next."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

FAIL, HANG, VERSION = "fail-restore", "hang-restore", "misversion-restore"
KINDS = (FAIL, HANG, VERSION)
STATUSES = (
    "failed",
    "incompatible-network",
    "incompatible-parameters",
    "incompatible-restore",
    "insufficient-capacity",
    "restore-error",
    "storage-full",
)


@dataclass(frozen=True, slots=True)
class RestoreFault:
    """One of them: ``value`` is the status it ends in, or the version it comes up with."""

    kind: str
    value: str = ""


@dataclass(slots=True)
class RestoreFaults:
    """Those to come, in order, and the restores that hang."""

    _next: list[RestoreFault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free: threading.Event = field(default_factory=threading.Event)

    def arm(self, fault: RestoreFault) -> None:
        """Let the next restore, after those armed before, meet this."""
        with self._lock:
            self._next.append(fault)
            if fault.kind == HANG:
                self._free.clear()

    def take(self) -> RestoreFault | None:
        """Return what the restore that is being asked for meets."""
        with self._lock:
            return self._next.pop(0) if self._next else None

    def hang(self) -> None:
        """Wait until hanging restores are released."""
        self._free.wait()

    def release(self) -> None:
        """Let hanging restores go on, and forget what was to come."""
        with self._lock:
            self._next.clear()
            self._free.set()
