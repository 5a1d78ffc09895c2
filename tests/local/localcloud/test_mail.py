"""Conformance: SNS delivers, by e-mail and to queues, and RDS tells its events."""

from __future__ import annotations

import email
import email.policy
import json
import re
from email.message import EmailMessage
from typing import Any

import pytest

from tests.local.localcloud import conftest
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local


def _letters(cloud: Any, recipient: str) -> list[EmailMessage]:
    """The letters to one recipient, in the order of their delivery."""
    folder = cloud.running.data / "mail" / "new"
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    parsed = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files
    ]
    return [letter for letter in parsed if letter["To"] == recipient]


def _subscribed(cloud: Any, name: str, protocol: str = "email") -> tuple[str, str]:
    topic = cloud.client("sns").create_topic(Name=name)["TopicArn"]
    recipient = f"{name}@example.org"
    cloud.client("sns").subscribe(TopicArn=topic, Protocol=protocol, Endpoint=recipient)
    return topic, recipient


def _confirm(cloud: Any, topic: str, recipient: str) -> str:
    (request,) = _letters(cloud, recipient)
    token = re.search(r"Token=([0-9a-f]+)", request.get_content())
    assert token
    answer = cloud.client("sns").confirm_subscription(TopicArn=topic, Token=token[1])
    return str(answer["SubscriptionArn"])


def test_a_letter_asks_and_letters_follow(cloud: Any, name: str) -> None:
    # SNS Developer Guide, "Email notifications": a request to confirm, then messages with a
    # line to unsubscribe. API ConfirmSubscription: the token of the request.
    sns = cloud.client("sns")
    topic, recipient = _subscribed(cloud, name)
    assert (
        _letters(cloud, recipient)[0]["Subject"] == "AWS Notification - Subscription Confirmation"
    )
    sns.publish(TopicArn=topic, Subject="too early", Message="x")
    wrong = {"TopicArn": topic, "Token": "0"}
    assert refusal(sns.confirm_subscription, **wrong)[0] == "InvalidParameter"
    arn = _confirm(cloud, topic, recipient)
    body = "Grüße, " + "a long line " * 200
    sns.publish(TopicArn=topic, Subject="Disk full", Message=body)
    sns.publish(TopicArn=topic, Message="no subject")
    _, first, second = _letters(cloud, recipient)
    assert first["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert (first["Subject"], first["X-Topic-Arn"]) == ("Disk full", topic)
    text = first.get_content()
    assert text.startswith(body)
    assert f"SubscriptionArn={arn}" in text
    assert second["Subject"] == "AWS Notification Message"
    sns.unsubscribe(SubscriptionArn=arn)
    sns.publish(TopicArn=topic, Message="nobody")
    assert len(_letters(cloud, recipient)) == 3


def test_letters_as_json(cloud: Any, name: str) -> None:
    # SNS API Subscribe: email-json delivers what a queue would get.
    topic, recipient = _subscribed(cloud, name, "email-json")
    cloud.control("POST", "confirmations", {"topic": topic, "endpoint": recipient})
    cloud.client("sns").publish(TopicArn=topic, Message="{braces}")
    found = json.loads(_letters(cloud, recipient)[-1].get_content())
    assert (found["Type"], found["Message"], found["TopicArn"]) == (
        "Notification",
        "{braces}",
        topic,
    )


def test_a_filter_policy_keeps_letters_away(cloud: Any, name: str) -> None:
    # SNS Developer Guide, "Message filtering".
    sns = cloud.client("sns")
    topic, recipient = _subscribed(cloud, name)
    arn = _confirm(cloud, topic, recipient)
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue='{"kind": ["urgent"]}'
    )
    for kind in ("idle", "urgent"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=topic, Message=kind, MessageAttributes=attributes)
    assert [letter.get_content().split("\n")[0] for letter in _letters(cloud, recipient)[1:]] == [
        "urgent"
    ]


@pytest.mark.parametrize("subject", ["two\nlines", "ä", ""])
def test_a_subject_is_one_line_of_ascii(cloud: Any, name: str, subject: str) -> None:
    # SNS API Publish, Subject.
    topic = cloud.client("sns").create_topic(Name=name)["TopicArn"]
    code, _ = refusal(cloud.client("sns").publish, TopicArn=topic, Message="x", Subject=subject)
    assert code == "InvalidParameter"


def test_an_endpoint_is_an_address(cloud: Any, name: str) -> None:
    # SNS API Subscribe, Endpoint.
    topic = cloud.client("sns").create_topic(Name=name)["TopicArn"]
    for endpoint in ("nobody", "a@b\nBcc: c@d", "ä@example.org"):
        code, _ = refusal(
            cloud.client("sns").subscribe, TopicArn=topic, Protocol="email", Endpoint=endpoint
        )
        assert code == "InvalidParameter"


def _wishes(name: str) -> dict[str, dict[str, Any]]:
    """Subscriptions to events; the narrowest comes last, and is told last."""
    one = {"SourceType": "db-instance", "SourceIds": [name]}
    return {
        "off": {"Enabled": False},
        "other": {"SourceType": "db-parameter-group"},
        "all": {},
        "type": one,
        "category": {**one, "EventCategories": ["deletion"]},
    }


def _told(cloud: Any, queues: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Every event by the wish it met, once the last one has come."""
    told: dict[str, list[dict[str, Any]]] = {wish: [] for wish in queues}

    def collected() -> list[dict[str, Any]]:
        for wish, url in queues.items():
            for row in conftest.received(cloud, url):
                assert row["Subject"] == "RDS Notification Message"
                told[wish].append(json.loads(row["Message"]))
        return told["category"]

    conftest.awaited(collected, bool)
    collected()
    return told


def test_events_reach_those_who_ask_for_them(cloud: Any, name: str) -> None:
    # RDS User Guide, "Working with Amazon RDS event notification": by type, source, category.
    rds = cloud.client("rds")
    cloud.create(name, BackupRetentionPeriod=0)
    queues = {}
    for wish, given in _wishes(name).items():
        topic, queues[wish] = conftest.queue(cloud, f"{name}-{wish}")
        rds.create_event_subscription(SubscriptionName=f"{name}-{wish}", SnsTopicArn=topic, **given)
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    cloud.await_status(name)
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    told = _told(cloud, queues)
    for wish in queues:
        rds.delete_event_subscription(SubscriptionName=f"{name}-{wish}")
    texts = {wish: [row["Event Message"] for row in rows] for wish, rows in told.items()}
    assert sorted(texts["type"]) == [
        "DB instance deleted",
        "DB instance restarted",
        "DB instance shutdown",
    ]
    assert set(texts["type"]) <= set(texts["all"])
    assert (texts["other"], texts["off"]) == ([], [])
    (message,) = told["category"]
    assert message["Event Source"] == "db-instance"
    assert (message["Source ID"], message["Source ARN"].split(":")[-1]) == (name, name)
    assert message["Event ID"].endswith("#RDS-EVENT-0003")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", message["Event Time"])
