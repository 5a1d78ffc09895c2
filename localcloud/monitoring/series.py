"""The datapoints of metrics, put into periods and summed up by a statistic."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Key = tuple[str, str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Datum:
    """What was reported at one moment; a set of values has been summed up already."""

    moment: dt.datetime
    low: float
    high: float
    total: float
    count: float
    unit: str | None


def key(namespace: str, name: str, dimensions: Iterable[Any]) -> Key:
    """Return what tells one metric from another."""
    return namespace, name, frozenset((item.name, item.value) for item in dimensions)


def datum(item: Any) -> Datum:
    """Return moto's record of a datapoint in one shape."""
    moment = item.timestamp if item.timestamp.tzinfo else item.timestamp.replace(tzinfo=dt.UTC)
    if hasattr(item, "value"):
        return Datum(moment, item.value, item.value, item.value, 1.0, item.unit)
    return Datum(moment, item.min, item.max, item.sum, item.sample_count, item.unit)


class Series:
    """The datapoints of all metrics since a moment."""

    def __init__(self, items: Iterable[Any], since: dt.datetime) -> None:
        self._table: dict[Key, list[Datum]] = defaultdict(list)
        for item in items:
            found = datum(item)
            if found.moment >= since:
                self.add(key(item.namespace, item.name, item.dimensions), found)

    def add(self, metric: Key, found: Datum) -> None:
        """Add a datapoint."""
        self._table[metric].append(found)

    def between(
        self, metric: Key, start: dt.datetime, end: dt.datetime, unit: str | None
    ) -> list[Datum]:
        """Return the datapoints of a metric from ``start`` until before ``end``."""
        return [
            found
            for found in self._table.get(metric, ())
            if start <= found.moment < end and unit in (None, found.unit)
        ]


def periods(
    found: Sequence[Datum], statistic: str, end: dt.datetime, seconds: int, count: int
) -> list[float | None]:
    """Return the statistic of each of the last ``count`` periods before ``end``, oldest first."""
    parts: list[list[Datum]] = [[] for _ in range(count)]
    for item in found:
        ago = math.ceil((end - item.moment).total_seconds() / seconds)
        if 1 <= ago <= count:
            parts[count - ago].append(item)
    return [summed(part, statistic) if part else None for part in parts]


def summed(part: Sequence[Datum], statistic: str) -> float:
    """Return one statistic of the datapoints of one period, of which there is at least one."""
    total, count = sum(item.total for item in part), sum(item.count for item in part)
    if statistic.startswith("p"):
        values = sorted(item.total / item.count for item in part)
        rank = math.ceil(float(statistic[1:]) / 100 * len(values))
        return values[max(rank, 1) - 1]
    return {
        "Average": total / count if count else 0.0,
        "Sum": total,
        "Minimum": min(item.low for item in part),
        "Maximum": max(item.high for item in part),
        "SampleCount": count,
    }[statistic]
