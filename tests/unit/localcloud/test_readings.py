"""What a look at an instance becomes as metrics, and datapoints as periods."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pytest

from localcloud.clock import Clock, ClockError
from localcloud.monitoring import readings, series
from localcloud.monitoring.readings import Reading, Replica
from localcloud.monitoring.series import Datum

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def _ago(seconds: float) -> dt.datetime:
    return NOON - dt.timedelta(seconds=seconds)


LAGS = [
    ("broken", Replica(False, True, _ago(10)), -1.0),
    ("nothing replayed yet", Replica(True, True, None), 0.0),
    ("an idle source", Replica(True, True, _ago(200)), 200.0),
    ("an idle source switches segments", Replica(True, True, _ago(310)), 10.0),
    ("behind", Replica(True, False, _ago(310)), 310.0),
    ("clocks differ", Replica(True, False, _ago(-1)), 0.0),
]


@pytest.mark.parametrize(("rule", "replica", "lag"), LAGS, ids=[row[0] for row in LAGS])
def test_lag(rule: str, replica: Replica, lag: float) -> None:
    assert readings.lag(replica, NOON) == lag, rule


def test_storage_is_what_was_allocated_less_what_is_used() -> None:
    found = {
        name: (value, unit)
        for name, value, unit in readings.metrics(Reading(1.0, 2, 20, 1024**3, None), NOON)
    }
    assert found == {
        "CPUUtilization": (1.0, "Percent"),
        "DatabaseConnections": (2.0, "Count"),
        "FreeStorageSpace": (19.0 * 1024**3, "Bytes"),
    }


@dataclass
class _Item:
    value: float
    timestamp: dt.datetime
    unit: str | None = None
    dimensions: list[object] = field(default_factory=list)


STATISTICS = [
    ("Average", 2.0),
    ("Sum", 6.0),
    ("Minimum", 1.0),
    ("Maximum", 3.0),
    ("SampleCount", 3.0),
    ("p50", 2.0),
    ("p99", 3.0),
]


@pytest.mark.parametrize(("statistic", "value"), STATISTICS)
def test_statistic(statistic: str, value: float) -> None:
    part = [series.datum(_Item(number, NOON)) for number in (1.0, 2.0, 3.0)]
    assert series.summed(part, statistic) == value


def test_a_period_has_its_beginning_and_not_its_end() -> None:
    found = [Datum(_ago(ago), ago, ago, ago, 1, None) for ago in (0, 1, 60, 61, 120, 121, 300)]
    periods = series.periods(found, "Sum", NOON, 60, 4)
    assert periods == [None, 121.0, 181.0, 61.0]


def test_a_clock_remembers_when_it_was_moved() -> None:
    clock = Clock()
    before = dt.datetime.now(dt.UTC)
    clock.advance(600)
    assert clock.at(before) == before
    later = before + dt.timedelta(hours=1)
    assert clock.at(later) == later + dt.timedelta(seconds=600)
    assert clock.now() - before >= dt.timedelta(seconds=600)
    for wrong in (0, -1, float("nan"), 1e9):
        with pytest.raises(ClockError):
            clock.advance(wrong)
    assert clock.ahead == 600
