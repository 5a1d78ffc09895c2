"""SNS: topics, their policy and subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack.resource import Found, Resource
from haven.stack.topic import Topic
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, only

PENDING = "PendingConfirmation"
SUBJECT = 100
MISSING = ("NotFound", "NotFoundException")


@looks
def observe_topics(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read each topic with its policy and e-mail subscriptions, confirmed or not."""
    sns = site.cloud.client("sns", region)
    found: dict[str, Found[Resource]] = {}
    for topic in only(Topic, wanted):
        arn = _arn(site, topic)
        try:
            attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        except ClientError as error:
            if is_code(error, *MISSING):
                continue
            raise
        subscriptions = _subscriptions(sns, arn)
        waiting = [item for item in subscriptions if item["SubscriptionArn"] == PENDING]
        found[topic.address] = Found(
            Topic(
                name=topic.name,
                region=topic.region,
                key=attributes.get("KmsMasterKeyId", ""),
                policy=attributes.get("Policy", ""),
                emails=tuple(item["Endpoint"] for item in subscriptions),
            ),
            arn,
            {"arn": arn, "unconfirmed": ",".join(item["Endpoint"] for item in waiting)},
        )
    return found


def _arn(site: Site, topic: Topic) -> str:
    return f"arn:aws:sns:{topic.region}:{site.stack.account}:{topic.name}"


def _subscriptions(sns: Any, arn: str) -> list[dict[str, str]]:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
    return [item for page in pages for item in page["Subscriptions"] if item["Protocol"] == "email"]


@changes
def apply_topic(
    site: Site, topic: Topic, found: Found[Topic] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Make the topic, or put right what differs. E-mail addresses have to be confirmed."""
    sns = site.client("sns", topic)
    if found:
        arn = found.arn
        wanted = {"KmsMasterKeyId": topic.key, "Policy": topic.policy}
        for name, value in wanted.items():
            sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)
    else:
        arn = sns.create_topic(
            Name=topic.name,
            Attributes={"KmsMasterKeyId": topic.key, "Policy": topic.policy},
            Tags=site.tag_list(topic),
        )["TopicArn"]
    have = found.resource.emails if found else ()
    added = [email for email in topic.emails if email not in have]
    for email in added:
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=email, ReturnSubscriptionArn=True)
    outputs = {"arn": arn, "unconfirmed": ",".join(added)}
    return Found(topic, arn, outputs, site.tags(topic))


@changes
def delete_topic(site: Site, found: Found[Topic]) -> None:
    """Delete the topic with its subscriptions; deleting a missing one succeeds."""
    site.client("sns", found.resource).delete_topic(TopicArn=found.arn)


@changes
def alarm(site: Site, region: str, name: str, subject: str, message: str) -> None:
    """Tell whoever listens to a topic of the stack; SNS takes 100 characters as the subject."""
    arn = f"arn:aws:sns:{region}:{site.stack.account}:{name}"
    site.cloud.client("sns", region).publish(
        TopicArn=arn, Subject=subject[:SUBJECT], Message=message
    )
