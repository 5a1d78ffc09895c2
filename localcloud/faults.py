"""Faults on demand: which request meets which fault, and how often.

A fault is armed through the control endpoint. It waits for requests of its operation, lets the
first ``skip`` of them pass, and is spent after ``times`` more.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from localcloud.naming import Named

# error: an error answer instead of the effect. late-error: the same after the effect.
# reset, late-reset: the connection is reset before or after the effect. silence, late-silence:
# no answer for ``seconds``, before or after the effect. slow: the answer, ``seconds`` later.
# cut: half of the answer. stale: the answer before the last one to the same request.
KINDS = (
    "error",
    "late-error",
    "reset",
    "late-reset",
    "silence",
    "late-silence",
    "slow",
    "cut",
    "stale",
)
ANY = "*"
_TEXT: tuple[type, str] = (str, "a text")
_COUNT: tuple[type, str] = (int, "a number of requests")
_FIELDS = {
    "service": _TEXT,
    "operation": _TEXT,
    "region": _TEXT,
    "code": _TEXT,
    "message": _TEXT,
    "skip": _COUNT,
    "times": _COUNT,
    "status": (int, "a status of HTTP"),
    "seconds": (int | float, "a number of seconds"),
}


class FaultError(ValueError):
    """A fault was described wrongly."""


@dataclass(slots=True)
class Fault:
    """One fault and what is left of it; ``service``, ``operation`` and ``region`` may be ``*``."""

    kind: str
    service: str = ANY
    operation: str = ANY
    skip: int = 0
    times: int = 1
    region: str = ANY
    code: str = "InternalFailure"
    status: int = 500
    message: str = "We encountered an internal error. Please try again."
    seconds: float = 0.0
    met: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.kind not in KINDS:
            raise FaultError(f"kind is {self.kind!r}, which is not one of {', '.join(KINDS)}.")
        for name, (kind, words) in _FIELDS.items():
            if not isinstance(getattr(self, name), kind):
                raise FaultError(f"{name} is {words}.")
        if self.skip < 0 or self.times < 0:
            raise FaultError("skip and times are numbers of requests, from 0.")
        if not (math.isfinite(self.seconds) and 0 <= self.seconds <= 600):  # noqa: PLR2004
            raise FaultError("seconds is from 0 to 600.")
        if not 400 <= self.status <= 599:  # noqa: PLR2004  # the errors of HTTP
            raise FaultError("status is from 400 to 599.")

    def meets(self, named: Named) -> bool:
        """Tell whether it waits for requests like this one."""
        return (
            self.service in (ANY, named.service)
            and self.operation in (ANY, named.operation)
            and self.region in (ANY, named.region)
        )


@dataclass(slots=True)
class Faults:
    """The faults that are armed, in the order in which they are tried."""

    _armed: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, given: Mapping[str, Any]) -> None:
        """Add a fault. Raises ``FaultError`` when it is described wrongly."""
        try:
            fault = Fault(**given)
        except TypeError as error:
            raise FaultError(str(error).replace("Fault.__init__() ", "")) from None
        with self._lock:
            self._armed.append(fault)

    def take(self, named: Named) -> Fault | None:
        """Return the fault that a request meets, and count it."""
        with self._lock:
            for fault in self._armed:
                if not fault.meets(named) or fault.times == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                fault.met += 1
                return fault
        return None

    def wants_memory(self, named: Named) -> bool:
        """Tell whether answers to requests like this one may be needed again."""
        with self._lock:
            return any(fault.kind == "stale" and fault.meets(named) for fault in self._armed)

    def table(self) -> list[dict[str, Any]]:
        """Return all faults with what is left of them and how often they were met."""
        with self._lock:
            return [asdict(fault) for fault in self._armed]

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()
