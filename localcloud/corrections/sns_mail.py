"""SNS by e-mail: a subscription that its recipient confirms, and the letters it gets."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import quote

from moto.sns.models import Subscription

from localcloud.mail import Post

PROTOCOLS = frozenset({"email", "email-json"})
_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_NO_SUBJECT = "AWS Notification Message"
_SENDER = "AWS Notifications"
_REQUEST = """\
You have chosen to subscribe to the topic:
{topic}

To confirm this subscription, click or visit the link below (If this was in error no action is
necessary):
https://sns.{region}.amazonaws.com/confirmation.html?TopicArn={topic}&Token={token}&Endpoint={to}

Please do not reply directly to this email.
"""
_FOOTER = """

--
If you wish to stop receiving notifications from this topic, please click or visit the link below
to unsubscribe:
https://sns.{region}.amazonaws.com/unsubscribe.html?SubscriptionArn={arn}&Endpoint={to}

Please do not reply directly to this email.
"""


def is_address(text: str) -> bool:
    """Tell whether letters can be sent to this endpoint."""
    return _ADDRESS.fullmatch(text) is not None


class ByMail(Subscription):  # type: ignore[misc]  # moto has no types
    """A subscription whose messages go into the post, once it is confirmed."""

    def __init__(self, made: Subscription, post: Post) -> None:
        super().__init__(made.account_id, made.topic, made.endpoint, made.protocol)
        self.arn = made.arn
        self.attributes = {
            **made.attributes,
            "PendingConfirmation": True,
            "ConfirmationWasAuthenticated": False,
        }
        self.token = secrets.token_hex(64)
        self._post = post

    @property
    def pending(self) -> bool:
        """Tell whether it waits for its recipient."""
        return bool(self.attributes["PendingConfirmation"])

    def confirm(self) -> None:
        """Do what the link in the request does."""
        self.attributes["PendingConfirmation"] = False
        self.attributes["ConfirmationWasAuthenticated"] = True

    def request(self) -> None:
        """Ask the recipient to confirm."""
        self._send("AWS Notification - Subscription Confirmation", self._worded(_REQUEST))

    def publish(
        self, message: str, message_id: str, subject: str | None = None, **how: Any
    ) -> None:
        """Deliver a message that the filter policy lets through."""
        matcher, attributes = self._filter_policy_matcher, how.get("message_attributes")
        if self.pending or (matcher is not None and not matcher.matches(attributes, message)):
            return
        if how.get("message_structure") == "json":
            message = self._parse_message_structure(message, self.protocol)
        if self.protocol == "email-json":
            body = json.dumps(self.get_post_data(message, message_id, subject, attributes))
        else:
            body = message + self._worded(_FOOTER)
        self._send(subject or _NO_SUBJECT, body)

    def _worded(self, text: str) -> str:
        return text.format(
            region=self.topic.sns_backend.region_name,
            topic=self.topic_arn,
            arn=self.arn,
            token=self.token,
            to=quote(self.endpoint),
        )

    def _send(self, subject: str, body: str) -> None:
        sender = " ".join(self.topic.display_name.split()) or _SENDER
        self._post.deliver(self.endpoint, sender, subject, body, self.topic_arn)
