"""Events reach the topics of the subscriptions that ask for them, in AWS's JSON.

Source: RDS User Guide, "Amazon RDS event notification tags and attributes" and the list of
"Amazon RDS event categories and event messages", which numbers them.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING

from moto.core.exceptions import ServiceException
from moto.sns.models import sns_backends

from localcloud.rds.records import Event, Subscription

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

LOG = logging.getLogger("localcloud")

_SUBJECT = "RDS Notification Message"
_GUIDE = "http://docs.amazonwebservices.com/AmazonRDS/latest/UserGuide/USER_Events.html"
_PAGES = {
    "db-instance": "dbinstance:id",
    "db-parameter-group": "parameter-group-details:parameter-group-name",
    "db-proxy": "proxy:id",
}
# How messages begin, and the numbers AWS gives them; what is not here bears no number.
_NUMBERS = {
    "DB instance created": "0005",
    "DB instance deleted": "0003",
    "DB instance restarted": "0006",
    "DB instance shutdown": "0004",
    "DB instance started": "0088",
    "DB instance stopped": "0087",
    "Multi-AZ instance failover started": "0013",
    "Multi-AZ instance failover completed": "0049",
    "Replication for the Read Replica resumed": "0046",
    "Reset master credentials": "0016",
}


def wants(subscription: Subscription, event: Event) -> bool:
    """Tell whether a subscription asks for an event: by its type, its source and its category."""
    return (
        subscription.enabled
        and subscription.source_type in (None, event.source_type)
        and (not subscription.sources or event.source in subscription.sources)
        and (
            not subscription.categories
            or not set(event.categories).isdisjoint(subscription.categories)
        )
    )


def message(event: Event, region: str) -> str:
    """Return what AWS sends of an event."""
    number = next((_NUMBERS[start] for start in _NUMBERS if event.message.startswith(start)), None)
    page = _PAGES.get(event.source_type, event.source_type)
    console = f"https://console.aws.amazon.com/rds/home?region={region}"
    return json.dumps(
        {
            "Event Source": event.source_type,
            "Event Time": event.date.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "Identifier Link": f"{console}#{page}={event.source}",
            "Source ID": event.source,
            "Source ARN": event.source_arn,
            "Event ID": _GUIDE + (f"#RDS-EVENT-{number}" if number else ""),
            "Event Message": event.message,
        }
    )


def send(home: Home, event: Event) -> None:
    """Tell the topics, beside the call that made the event and in the order of events."""
    topics = [found.topic for found in home.subscriptions.values() if wants(found, event)]
    if topics:
        # While the local cloud stops, nothing more is told.
        with contextlib.suppress(RuntimeError):
            home.runtime.notices.submit(_publish, home, topics, message(event, home.region_name))


def _publish(home: Home, topics: list[str], text: str) -> None:
    for topic in topics:
        try:
            backend = sns_backends[home.account_id][home.region_name]
            backend.publish(text, arn=topic, subject=_SUBJECT)
        except (ServiceException, ValueError):
            LOG.warning("An event could not be told to %s.", topic)
