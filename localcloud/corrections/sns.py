"""SNS: an e-mail subscription waits for its recipient, and gets its messages then."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend, sns_backends
from moto.sns.responses import SNSResponse

from localcloud.corrections import sns_mail, urls
from localcloud.corrections.sns_mail import ByMail
from localcloud.mail import Post

_WAITING = "pending confirmation"
# SNS API Publish, Subject: ASCII without control characters, at most 100 of it.
_SUBJECT = re.compile(r"[ -~]{1,100}")


def pending(subscription: Any) -> bool:
    """Tell whether a subscription waits for its recipient."""
    return isinstance(subscription, ByMail) and subscription.pending


def _shown(subscription: Any) -> Any:
    if not pending(subscription):
        return subscription
    return {
        "SubscriptionArn": "PendingConfirmation",
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic_arn,
    }


class Topics(SNSBackend):  # type: ignore[misc]  # moto has no types
    """moto's topics, with subscriptions that have to be confirmed."""

    post: ClassVar[Post]

    @property
    def _url_module(self) -> Any:
        return urls.of("sns", Responses)

    def subscribe(self, topic_arn: str, endpoint: str, protocol: str) -> Any:
        """Let an e-mail subscription wait, and ask its recipient as often as it is made."""
        if protocol in sns_mail.PROTOCOLS and not sns_mail.is_address(endpoint):
            raise SNSInvalidParameter("Invalid parameter: Email address")
        before = set(self.subscriptions)
        made = super().subscribe(topic_arn, endpoint, protocol)
        if made.arn not in before:
            if protocol in sns_mail.PROTOCOLS:
                made = self.subscriptions[made.arn] = ByMail(made, self.post)
            self._count(topic_arn, confirmed=not pending(made), step=1)
        if pending(made):
            made.request()
        return made

    def unsubscribe(self, subscription_arn: str) -> None:
        """Count what is left."""
        found = self.subscriptions.get(subscription_arn)
        if found is not None:
            self._count(found.topic_arn, confirmed=not pending(found), step=-1)
        super().unsubscribe(subscription_arn)

    def confirm(
        self, topic_arn: str, endpoint: str | None = None, token: str | None = None
    ) -> str | None:
        """Do what the recipient does with the link; return the ARN of what waited, if any."""
        for found in list(self.subscriptions.values()):
            if not pending(found) or found.topic_arn != topic_arn:
                continue
            if found.endpoint == endpoint or found.token == token:
                found.confirm()
                self._count(topic_arn, confirmed=False, step=-1)
                self._count(topic_arn, confirmed=True, step=1)
                return str(found.arn)
        return None

    def publish(
        self,
        message: str,
        arn: str | None,
        phone_number: str | None = None,
        subject: str | None = None,
        **how: Any,
    ) -> Any:
        """Refuse a subject that cannot stand in the head of a letter."""
        if subject is not None and not _SUBJECT.fullmatch(subject):
            raise SNSInvalidParameter("Invalid parameter: Subject")
        return super().publish(message, arn, phone_number, subject, **how)

    def _count(self, topic_arn: str, *, confirmed: bool, step: int) -> None:
        topic = self.topics.get(topic_arn)
        if topic is None:
            return
        if confirmed:
            topic.subscriptions_confimed += step
        else:
            topic.subscriptions_pending += step


class Responses(SNSResponse):  # type: ignore[misc]  # moto has no types
    """Answers that give no ARN of what waits unless it is asked for."""

    def subscribe(self) -> ActionResult:
        """Answer with the ARN, or with the words AWS uses instead."""
        answer = super().subscribe()
        arn = answer.result["SubscriptionArn"]
        wanted = str(self._get_param("ReturnSubscriptionArn")).lower() == "true"
        if pending(self.backend.subscriptions[arn]) and not wanted:
            return ActionResult({"SubscriptionArn": _WAITING})
        return answer

    def confirm_subscription(self) -> ActionResult:
        """Confirm with the token that was sent to the recipient."""
        topic, token = self._get_param("TopicArn"), self._get_param("Token")
        self.backend.get_topic(topic)
        arn = self.backend.confirm(topic, token=token)
        if arn is None:
            raise SNSInvalidParameter("Invalid parameter: Token")
        return ActionResult({"SubscriptionArn": arn})

    def list_subscriptions(self) -> ActionResult:
        """Show no ARN of what waits."""
        return _hidden(super().list_subscriptions())

    def list_subscriptions_by_topic(self) -> ActionResult:
        """Show no ARN of what waits."""
        return _hidden(super().list_subscriptions_by_topic())


def _hidden(answer: ActionResult) -> ActionResult:
    shown = [_shown(item) for item in answer.result["Subscriptions"]]
    return ActionResult({**answer.result, "Subscriptions": shown})


def attach(post: Post) -> None:
    """Make moto use the corrected backend."""
    Topics.post = post
    sns_backends.backend = Topics
