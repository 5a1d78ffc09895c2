"""What a pending statement will do, as it is told before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TakenLock:
    """A lock on a relation: its mode, whom it makes wait, and how large the relation is.

    ``size`` is in bytes, indexes included; ``rows`` is an estimate. None where the relation is not
    there yet, or where nobody counted.
    """

    relation: str
    mode: str
    keeps_out: str
    size: int | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """One statement: where it stands, how it begins, what it locks, reads or writes, its hazards.

    Time limits are in milliseconds; None is no limit.
    """

    file: str
    line: int
    start: str = field(repr=False)
    locks: tuple[TakenLock, ...]
    work: str
    hazards: tuple[str, ...]
    lock_timeout_ms: int | None
    statement_timeout_ms: int | None

    @property
    def notable(self) -> bool:
        """Tell whether anybody or anything may be waited for, or worked on."""
        return bool(self.locks or self.work or self.hazards)

    @property
    def text(self) -> str:
        """Say it on one line."""
        parts = [self.work] if self.work else []
        parts += [_lock(lock) for lock in self.locks]
        parts.append(f"waits {_span(self.lock_timeout_ms)} for a lock")
        if self.statement_timeout_ms is not None:
            parts.append(f"runs {_span(self.statement_timeout_ms)}")
        parts += [f"accepted: {', '.join(self.hazards)}"] if self.hazards else []
        return f"{self.file}:{self.line} {self.start}: {'; '.join(parts)}"


def sentences(forecasts: Sequence[Forecast]) -> list[str]:
    """Say what the statements of a file do, those that meet nothing in use in one line together."""
    said = [item.text for item in forecasts if item.notable]
    others = len(forecasts) - len(said)
    if not others:
        return said
    these = "1 statement meets" if others == 1 else f"{others} statements meet"
    return [*said, f"{these} nothing that is in use"]


def _lock(lock: TakenLock) -> str:
    size = [] if lock.size is None else [bytes_in_words(lock.size)]
    rows = [] if lock.rows is None else [f"about {lock.rows:,} rows"]
    known = f" ({', '.join(size + rows)})" if size else ""
    keeps = f", keeps out {lock.keeps_out}" if lock.keeps_out else ""
    return f"{lock.mode} on {lock.relation}{known}{keeps}"


def bytes_in_words(count: int) -> str:
    """Say a number of bytes with a unit of 1024s."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:  # noqa: PLR2004  # what makes the next unit
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _span(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "without limit"
    return f"at most {milliseconds / 1000:g} s"
