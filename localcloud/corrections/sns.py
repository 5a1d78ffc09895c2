"""SNS: an e-mail subscription waits for its recipient."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.sns.models import SNSBackend, sns_backends
from moto.sns.responses import SNSResponse

from localcloud.corrections import urls

_BY_HAND = frozenset({"email", "email-json"})
_WAITING = "pending confirmation"


def pending(subscription: Any) -> bool:
    """Tell whether a subscription waits for its recipient."""
    return bool(subscription.attributes.get("PendingConfirmation"))


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

    @property
    def _url_module(self) -> Any:
        return urls.of("sns", Responses)

    def subscribe(self, topic_arn: str, endpoint: str, protocol: str) -> Any:
        """Let an e-mail subscription wait."""
        before = set(self.subscriptions)
        made = super().subscribe(topic_arn, endpoint, protocol)
        if made.arn not in before:
            self._count(topic_arn, confirmed=protocol not in _BY_HAND, step=1)
            if protocol in _BY_HAND:
                made.attributes["PendingConfirmation"] = True
                made.attributes["ConfirmationWasAuthenticated"] = False
        return made

    def unsubscribe(self, subscription_arn: str) -> None:
        """Count what is left."""
        found = self.subscriptions.get(subscription_arn)
        if found is not None:
            self._count(found.topic_arn, confirmed=not pending(found), step=-1)
        super().unsubscribe(subscription_arn)

    def confirm(self, topic_arn: str, endpoint: str) -> bool:
        """Do what the recipient does with the link; tell whether anything waited."""
        for found in self.subscriptions.values():
            if (found.topic_arn, found.endpoint) == (topic_arn, endpoint) and pending(found):
                found.attributes["PendingConfirmation"] = False
                found.attributes["ConfirmationWasAuthenticated"] = True
                self._count(topic_arn, confirmed=False, step=-1)
                self._count(topic_arn, confirmed=True, step=1)
                return True
        return False

    def _count(self, topic_arn: str, *, confirmed: bool, step: int) -> None:
        topic = self.topics.get(topic_arn)
        if topic is None:
            return
        if confirmed:
            topic.subscriptions_confimed += step
        else:
            topic.subscriptions_pending += step

    def list_subscriptions(self, next_token: str | None = None) -> Any:
        """Show no ARN of what waits."""
        found, token = super().list_subscriptions(next_token)
        return [_shown(item) for item in found], token

    def list_subscriptions_by_topic(self, topic_arn: str, next_token: str | None = None) -> Any:
        """Show no ARN of what waits."""
        found, token = super().list_subscriptions_by_topic(topic_arn, next_token)
        return [_shown(item) for item in found], token


class Responses(SNSResponse):  # type: ignore[misc]  # moto has no types
    """Subscribe's answer, which gives no ARN of what waits unless it is asked for."""

    def subscribe(self) -> ActionResult:
        """Answer with the ARN, or with the words AWS uses instead."""
        answer = super().subscribe()
        arn = answer.result["SubscriptionArn"]
        wanted = str(self._get_param("ReturnSubscriptionArn")).lower() == "true"
        if pending(self.backend.subscriptions[arn]) and not wanted:
            return ActionResult({"SubscriptionArn": _WAITING})
        return answer


def attach() -> None:
    """Make moto use the corrected backend."""
    sns_backends.backend = Topics
