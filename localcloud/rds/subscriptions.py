"""Event subscriptions: which topic is told of which events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.sns.models import sns_backends

from localcloud.rds import events, faults
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Subscription, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def shown(home: Home, found: Subscription) -> dict[str, Any]:
    """Return a subscription as the API shows it."""
    return {
        "CustomerAwsId": home.account_id,
        "CustSubscriptionId": found.name,
        "EventSubscriptionArn": found.arn,
        "SnsTopicArn": found.topic,
        "Status": found.status,
        "SubscriptionCreationTime": found.created.strftime("%Y-%m-%d %H:%M:%S"),
        "SourceType": found.source_type,
        "SourceIdsList": list(found.sources),
        "EventCategoriesList": list(found.categories),
        "Enabled": found.enabled,
    }


def _topic(home: Home, arn: str) -> str:
    topics = sns_backends[home.account_id][home.region_name].topics
    if arn not in topics:
        raise faults.Fault("SNSTopicArnNotFound", f"SNS topic {arn} does not exist.")
    return arn


def _categories(source_type: str | None, given: list[str]) -> list[str]:
    if source_type is None:
        if given:
            raise faults.missing("SourceType")
        return []
    if source_type not in events.CATEGORIES:
        raise faults.invalid_value(f"Invalid source type: {source_type}")
    for category in given:
        if category not in events.CATEGORIES[source_type]:
            raise faults.Fault(
                "SubscriptionCategoryNotFound", f"Category {category} of {source_type} not found."
            )
    return list(given)


def _require_source(home: Home, source_type: str | None, name: str) -> str:
    known = {
        "db-instance": set(home.instances),
        "db-parameter-group": set(home.parameter_groups),
        "db-proxy": set(home.proxies),
    }.get(source_type or "", set[str]())
    if name.lower() not in known:
        raise faults.Fault("SourceNotFound", f"Source {name} of type {source_type} not found.")
    return name.lower()


def _find(call: Call) -> Subscription:
    name = str(call.need("SubscriptionName"))
    found = call.home.subscriptions.get(name)
    if found is None:
        raise faults.Fault("SubscriptionNotFound", f"Subscription {name} not found.")
    return found


@operation("CreateEventSubscription")
def create_event_subscription(call: Call) -> Answer:
    """Subscribe a topic; enabled unless said otherwise."""
    home = call.home
    name = str(call.need("SubscriptionName"))
    if name in home.subscriptions:
        raise faults.Fault("SubscriptionAlreadyExist", f"Subscription {name} already exists.")
    kind = call.get("SourceType")
    sources = call.get("SourceIds", [])
    if sources and kind is None:
        raise faults.missing("SourceType")
    made = Subscription(
        name=name,
        arn=home.arn("es", name),
        topic=_topic(home, call.need("SnsTopicArn")),
        source_type=kind,
        sources=[_require_source(home, kind, source) for source in sources],
        categories=_categories(kind, call.get("EventCategories", [])),
        enabled=bool(call.get("Enabled", True)),
        tags=list(call.get("Tags", [])),
        created=now(),
    )
    home.subscriptions[name] = made
    return {"EventSubscription": shown(home, made)}


@operation("DescribeEventSubscriptions")
def describe_event_subscriptions(call: Call) -> Answer:
    """All subscriptions of a region, or one."""
    if call.has("SubscriptionName"):
        return {"EventSubscriptionsList": [shown(call.home, _find(call))]}
    table = call.home.subscriptions
    return {"EventSubscriptionsList": [shown(call.home, table[name]) for name in sorted(table)]}


@operation("ModifyEventSubscription")
def modify_event_subscription(call: Call) -> Answer:
    """Change all but the sources, which have calls of their own."""
    found = _find(call)
    kind = call.get("SourceType", found.source_type)
    found.categories = _categories(kind, call.get("EventCategories", found.categories))
    found.source_type = kind
    if call.has("SnsTopicArn"):
        found.topic = _topic(call.home, call.get("SnsTopicArn"))
    found.enabled = bool(call.get("Enabled", found.enabled))
    return {"EventSubscription": shown(call.home, found)}


@operation("AddSourceIdentifierToSubscription")
def add_source(call: Call) -> Answer:
    """Add a source."""
    found = _find(call)
    name = _require_source(call.home, found.source_type, call.need("SourceIdentifier"))
    if name not in found.sources:
        found.sources.append(name)
    return {"EventSubscription": shown(call.home, found)}


@operation("RemoveSourceIdentifierFromSubscription")
def remove_source(call: Call) -> Answer:
    """Take a source away."""
    found = _find(call)
    name = str(call.need("SourceIdentifier")).lower()
    if name not in found.sources:
        raise faults.Fault("SourceNotFound", f"Source {name} is not in {found.name}.")
    found.sources.remove(name)
    return {"EventSubscription": shown(call.home, found)}


@operation("DeleteEventSubscription")
def delete_event_subscription(call: Call) -> Answer:
    """Delete a subscription."""
    found = _find(call)
    del call.home.subscriptions[found.name]
    return {"EventSubscription": shown(call.home, found)}
