"""CloudWatch: the state and the tags of alarms that are put, and the service clock."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from moto.cloudwatch.exceptions import InvalidParameterValue
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

from localcloud.clock import Clock
from localcloud.corrections import urls
from localcloud.monitoring import alarms

_SHORT = (10, 20, 30)
_MINUTE = 60


class Alarms(CloudWatchBackend):  # type: ignore[misc]  # moto has no types
    """moto's alarms, with the rules of AWS where moto's differ."""

    clock: ClassVar[Clock]

    @property
    def _url_module(self) -> Any:
        return urls.of("cloudwatch")

    def put_metric_alarm(self, **named: Any) -> Any:
        """A new alarm knows nothing yet; one that is there keeps its state and its tags."""
        period = named.get("period")
        if period and int(period) not in _SHORT and int(period) % _MINUTE:
            raise InvalidParameterValue(
                f"Period must be 10, 20, 30 or a multiple of 60, not {period}."
            )
        before = self.alarms.get(named["name"])
        if before is not None:
            named["tags"] = None
        alarm = super().put_metric_alarm(**named)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:
            for name in ("value", "reason", "reason_data", "updated_timestamp"):
                setattr(alarm, f"state_{name}", getattr(before, f"state_{name}"))
            alarm.history = before.history
        return alarm

    def set_alarm_state(
        self, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        """Act on the change as on one that an evaluation made."""
        alarm = self.alarms.get(alarm_name)
        before = alarm.state_value if alarm is not None else ""
        super().set_alarm_state(alarm_name, reason, reason_data, state_value)
        alarms.settle(self.account_id, alarm, before, self.clock.now())

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """Date what bears no date by the service clock."""
        moment = self.clock.now().astimezone(dt.UTC).replace(tzinfo=None)
        dated = [{**item, "Timestamp": item.get("Timestamp") or moment} for item in metric_data]
        super().put_metric_data(namespace, dated)


def attach(clock: Clock) -> None:
    """Make moto use the corrected backend."""
    Alarms.clock = clock
    cloudwatch_backends.backend = Alarms
