"""What is kept costs money every month: bytes by sort, and their price by the stack's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from haven.stack.housekeeping import Prices

GIB = 1024**3


class Sort(StrEnum):
    """What is paid for by the size it has."""

    STORAGE = "storage of instances"
    SNAPSHOTS = "manual snapshots"
    STANDARD = "S3 Standard"
    GLACIER = "S3 Glacier Flexible Retrieval"
    DEEP_ARCHIVE = "S3 Glacier Deep Archive"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill: gibibytes, and US dollars a month."""

    sort: Sort
    gib: float
    usd: float

    @property
    def text(self) -> str:
        """Say it."""
        return f"{self.sort}: {self.gib:,.3f} GiB, {self.usd:,.2f} USD a month"


def bill(sizes: Mapping[Sort, int], prices: Prices) -> list[Line]:
    """Price sizes in bytes."""
    by_sort = {
        Sort.STORAGE: prices.storage,
        Sort.SNAPSHOTS: prices.snapshots,
        Sort.STANDARD: prices.standard,
        Sort.GLACIER: prices.glacier,
        Sort.DEEP_ARCHIVE: prices.deep_archive,
        Sort.LOGS: prices.logs,
    }
    return [
        Line(sort, sizes[sort] / GIB, sizes[sort] / GIB * price)
        for sort, price in by_sort.items()
        if sizes.get(sort)
    ]


def total(lines: Iterable[Line]) -> float:
    """Return the sum of a bill, in US dollars a month."""
    return sum(line.usd for line in lines)
