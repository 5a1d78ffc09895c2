"""What watches the stack: alarms, event subscriptions, log groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.stack.resource import Resource, attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm(Resource):
    """A CloudWatch alarm on one RDS metric of one instance; the period is in seconds."""

    kind: ClassVar[str] = "alarm"
    description: str
    instance: str = attribute()
    metric: str = attribute()
    statistic: str = attribute(default="Average")
    comparison: str = attribute()
    threshold: float = attribute()
    period: int = attribute()
    periods: int = attribute()
    missing_data: str = attribute()
    actions: tuple[str, ...] = attribute()
    actions_enabled: bool = attribute(default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscription(Resource):
    """RDS events of all instances of the account in a region, by category, to a topic."""

    kind: ClassVar[str] = "event-subscription"
    topic: str = attribute()
    categories: tuple[str, ...] = attribute(same=lambda want, have: sorted(want) == sorted(have))
    enabled: bool = attribute(default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup(Resource):
    """A log group that RDS writes to, made beforehand so that it does not keep logs for ever."""

    kind: ClassVar[str] = "log-group"
    retention_days: int = attribute()
