"""SNS topics that alarms and events notify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.stack.resource import Resource, attribute, same_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic(Resource):
    """An encrypted topic, who may publish, and the e-mail addresses that are subscribed."""

    kind: ClassVar[str] = "topic"
    key: str = attribute()
    policy: str = attribute(same=same_json)
    emails: tuple[str, ...] = attribute(same=lambda want, have: set(want) <= set(have))
