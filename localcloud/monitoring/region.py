"""The metrics and the alarms of one region, for the minutes that have just passed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from moto.cloudwatch.models import MetricDatum

from localcloud.monitoring import alarms, series
from localcloud.monitoring.series import Series

_NAMESPACE = "AWS/RDS"
_MINUTE = dt.timedelta(minutes=1)
_KEPT = dt.timedelta(days=1)


class Region:
    """Reports datapoints into a region's CloudWatch and evaluates its alarms over them."""

    def __init__(self, backend: Any, start: dt.datetime) -> None:
        self._backend = backend
        self._alarms = list(backend.alarms.values())
        self._data = Series(list(backend.metric_data), start - alarms.longest(self._alarms))
        self._forget(start - _KEPT)

    def report(
        self, identifier: str, metrics: Iterable[tuple[str, float, str]], moment: dt.datetime
    ) -> None:
        """Record the metrics of an instance for the minute that ends at ``moment``."""
        began = (moment - _MINUTE).replace(tzinfo=None)
        dimensions = [{"Name": "DBInstanceIdentifier", "Value": identifier}]
        for name, value, unit in metrics:
            made = MetricDatum(_NAMESPACE, name, value, dimensions, began, unit)
            self._backend.metric_data.append(made)
            self._data.add(series.key(_NAMESPACE, name, made.dimensions), series.datum(made))

    def evaluate(self, moment: dt.datetime) -> None:
        """Put every alarm into the state its datapoints before ``moment`` make it have."""
        for alarm in self._alarms:
            verdict = alarms.evaluate(alarm, self._data, moment)
            if verdict is None or verdict.state == alarm.state_value:
                continue
            before = alarm.state_value
            facts = alarms.details(alarm, verdict, moment)
            alarm.update_state(verdict.reason, facts, verdict.state)
            alarms.settle(self._backend.account_id, alarm, before, moment)

    def _forget(self, before: dt.datetime) -> None:
        """Drop samples of long ago; they stand at the beginning of the list."""
        limit = before.replace(tzinfo=None)
        items = self._backend.metric_data
        expired = 0
        while expired < len(items) and _is_old_sample(items[expired], limit):
            expired += 1
        del items[:expired]


def _is_old_sample(item: Any, limit: dt.datetime) -> bool:
    return item.namespace == _NAMESPACE and bool(item.timestamp < limit)
