"""RestoreObject: a copy out of an archive takes hours, and is there for some days.

S3 User Guide, "Archive retrieval options": Glacier Flexible Retrieval takes up to 5 minutes expedited, 5
hours by the standard, 12 hours in bulk; Deep Archive 12 hours by the standard and 48 in bulk, and has no
expedited retrieval. Here each takes the longest time that it is said to.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import xmltodict
from moto.s3.exceptions import InvalidObjectState, MissingKey, S3ClientError
from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

from localcloud.clock import Clock

HOURS = {
    "GLACIER": {"Expedited": 5 / 60, "Standard": 5.0, "Bulk": 12.0},
    "DEEP_ARCHIVE": {"Standard": 12.0, "Bulk": 48.0},
}
_TIER: ContextVar[str] = ContextVar("tier", default="Standard")


class _InProgress(S3ClientError):  # type: ignore[misc]  # moto has no types
    code = 409

    def __init__(self) -> None:
        super().__init__("RestoreAlreadyInProgress", "Object restore is already in progress")


def attach(clock: Clock) -> None:
    """Let restores take their time by a clock, and end."""
    S3Response._key_response_post = _with_tier(S3Response._key_response_post)  # noqa: SLF001  # no other place
    plain = FakeKey.response_dict.fget

    def response_dict(key: Any) -> dict[str, Any]:
        told: dict[str, Any] = plain(key)
        told.pop("x-amz-restore", None)
        shown = _shown(key, clock.now())
        return told | ({"x-amz-restore": shown} if shown else {})

    FakeKey.response_dict = property(response_dict)


def restore(key: Any, days: int, clock: Clock) -> bool:
    """Begin a restore; return whether there was a copy already, which then stays for longer."""
    if key is None:
        raise MissingKey
    table = HOURS.get(key.storage_class)
    if table is None:
        raise InvalidObjectState(storage_class=key.storage_class)
    tier, now = _TIER.get(), clock.now()
    if tier not in table:
        raise S3ClientError("InvalidArgument", f"{tier} retrieval is not offered for this class.")
    ready: dt.datetime | None = getattr(key, "restored_from", None)
    there = ready is not None and key.restored_until > now
    if ready is not None and there and ready > now:
        raise _InProgress
    if not there:
        key.restored_from = ready = now + dt.timedelta(hours=table[tier])
    key.restored_until = max(now, ready or now) + dt.timedelta(days=days)
    return there


def _shown(key: Any, now: dt.datetime) -> str:
    ready = getattr(key, "restored_from", None)
    if ready is None or key.restored_until <= now:
        return ""
    if ready > now:
        return 'ongoing-request="true"'
    return f'ongoing-request="false", expiry-date="{key.restored_until:%a, %d %b %Y %H:%M:%S GMT}"'


def _with_tier(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the tier that a request asks for; moto passes it over."""

    @functools.wraps(answer)
    def answered(self: Any, *args: Any, **named: Any) -> Any:
        body = next((item for item in (*args, *named.values()) if isinstance(item, bytes)), b"")
        if b"<RestoreRequest" not in body:
            return answer(self, *args, **named)
        asked = xmltodict.parse(body)["RestoreRequest"]
        tier = asked.get("Tier") or (asked.get("GlacierJobParameters") or {}).get("Tier")
        mark = _TIER.set(tier or "Standard")
        try:
            return answer(self, *args, **named)
        finally:
            _TIER.reset(mark)

    return answered
