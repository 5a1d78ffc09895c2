"""Telling what each pending statement will do, from what was found in it and how large tables are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from haven.migrations.forecast import Forecast, TakenLock
from haven.migrations.headers import Headers
from haven.migrations.impact.locks import Lock
from haven.migrations.impact.toll import whole_toll
from haven.migrations.lint.findings import Finding
from haven.migrations.lint.hazards import HAZARDS
from haven.migrations.lint.linter import Judged
from haven.migrations.lint.trees import Key, dotted


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes on disk, indexes included, and about how many rows; negative where nobody counted."""

    bytes: int
    rows: int


def foresee(
    judged: Iterable[Judged],
    findings: Sequence[Finding],
    headers: Mapping[str, Headers],
    sizes: Mapping[Key, Size],
    lock_timeout: float,
) -> tuple[Forecast, ...]:
    """Return the forecast of every statement that was judged.

    ``headers`` are by file; ``lock_timeout`` is the limit in seconds where a file gives none, which
    ``CONCURRENTLY`` does not keep to.
    """
    default = round(lock_timeout * 1000)
    return tuple(
        _foreseen(item, _of(item, findings), headers[item.file], sizes, default) for item in judged
    )


def _foreseen(
    item: Judged,
    hazards: tuple[str, ...],
    headers: Headers,
    sizes: Mapping[Key, Size],
    default: int,
) -> Forecast:
    unlimited = item.concurrent and headers.lock_timeout_ms is None
    return Forecast(
        item.file,
        item.first,
        item.start,
        tuple(_taken(key, lock, sizes.get(key)) for key, lock in item.locks.items()),
        _work(item, hazards, headers),
        hazards,
        None if unlimited else headers.lock_timeout_ms or default,
        headers.statement_timeout_ms,
    )


def _work(item: Judged, hazards: tuple[str, ...], headers: Headers) -> str:
    if headers.batch is not None:
        return f"writes rows in batches of {headers.batch:,}, each committed by itself"
    return whole_toll(item.toll, hazards).words


def _taken(key: Key, lock: Lock, size: Size | None) -> TakenLock:
    rows = size.rows if size and size.rows >= 0 else None
    return TakenLock(dotted(key), lock.words, lock.keeps_out, size.bytes if size else None, rows)


def _of(item: Judged, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Name the hazards of a statement; those of others' rules are known by line only."""
    own = [finding.hazard.name for finding in item.found]
    others = [
        finding.hazard.name
        for finding in findings
        if finding.hazard.name not in HAZARDS
        and finding.file == item.file
        and item.first <= finding.line <= item.last
    ]
    return tuple(dict.fromkeys(own + others))
