"""What happened: DescribeEvents, and the categories events come in."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from localcloud.rds import event_notices
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Event, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_DEFAULT_MINUTES = 60
CATEGORIES = {
    "db-instance": [
        "availability",
        "backup",
        "configuration change",
        "creation",
        "deletion",
        "failover",
        "failure",
        "low storage",
        "maintenance",
        "notification",
        "read replica",
        "recovery",
        "restoration",
        "security patching",
    ],
    "db-parameter-group": ["configuration change"],
    "db-security-group": ["configuration change", "failure"],
    "db-snapshot": ["creation", "deletion", "notification", "restoration"],
    "db-proxy": ["configuration change", "creation", "deletion", "failure"],
}


def add(home: Home, instance: Instance, message: str, *categories: str) -> None:
    """Record an event of an instance."""
    kind = "db-instance"
    _keep(home, Event(instance.identifier, kind, instance.arn, message, categories, now()))


def add_other(
    home: Home, source: str, source_type: str, arn: str, message: str, category: str
) -> None:
    """Record an event of something that is not an instance."""
    _keep(home, Event(source, source_type, arn, message, (category,), now()))


def _keep(home: Home, event: Event) -> None:
    home.events.append(event)
    event_notices.send(home, event)


def _moment(value: object) -> dt.datetime:
    found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


@operation("DescribeEvents")
def describe_events(call: Call) -> Answer:
    """Events of the last hour, or of the time asked for, oldest first."""
    end = _moment(call.get("EndTime")) if call.has("EndTime") else now()
    minutes = int(call.get("Duration", _DEFAULT_MINUTES))
    start = end - dt.timedelta(minutes=minutes)
    if call.has("StartTime"):
        start = _moment(call.get("StartTime"))
    wanted = set(call.get("EventCategories", []))
    chosen = [
        event
        for event in call.home.events
        if start <= event.date <= end
        and call.get("SourceIdentifier", event.source) == event.source
        and call.get("SourceType", event.source_type) == event.source_type
        and (not wanted or wanted & set(event.categories))
    ]
    return {
        "Events": [
            {
                "SourceIdentifier": event.source,
                "SourceType": event.source_type,
                "Message": event.message,
                "EventCategories": list(event.categories),
                "Date": event.date,
                "SourceArn": event.source_arn,
            }
            for event in chosen
        ]
    }


@operation("DescribeEventCategories")
def describe_event_categories(call: Call) -> Answer:
    """The categories of each kind of source."""
    wanted = call.get("SourceType")
    return {
        "EventCategoriesMapList": [
            {"SourceType": kind, "EventCategories": categories}
            for kind, categories in CATEGORIES.items()
            if wanted in (None, kind)
        ]
    }
