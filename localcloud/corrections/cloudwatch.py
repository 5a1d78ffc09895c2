"""CloudWatch: the state and the tags of alarms that are put."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterValue
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

from localcloud.corrections import urls

_SHORT = (10, 20, 30)
_MINUTE = 60


class Alarms(CloudWatchBackend):  # type: ignore[misc]  # moto has no types
    """moto's alarms, with the rules of AWS where moto's differ."""

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


def attach() -> None:
    """Make moto use the corrected backend."""
    cloudwatch_backends.backend = Alarms
