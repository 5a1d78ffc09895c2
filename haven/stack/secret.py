"""Secrets: one per login, with the JSON keys that AWS's rotation functions use, and a pointer.

A secret is made early, with its password; the host is written into it once the instance
exists. The pointer holds no password: it tells applications which secret and endpoint to use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.plan import Cost
from haven.stack.resource import Resource, accept_any, attribute

Content = tuple[tuple[str, str], ...]


def same_content(wanted: Content, found: Content) -> bool:
    """Compare the wanted entries; others, such as the password, are not looked at."""
    have = dict(found)
    return all(have.get(key) == value for key, value in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Resource):
    """A login's secret; the password is generated where the secret is made."""

    kind: ClassVar[str] = "secret"
    description: str
    key: str = attribute(cost=Cost.NOTHING)
    content: Content = attribute(same=same_content)
    replica_region: str = attribute()
    replica_key: str = attribute(same=accept_any)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretHost(Resource):
    """The host in a secret, known once the instance has its endpoint."""

    kind: ClassVar[str] = "secret-host"
    tagged: ClassVar[bool] = False
    secret: str
    host: str = attribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer(Resource):
    """Which secret and endpoint applications use. ``active`` is set once; rotation moves it."""

    kind: ClassVar[str] = "pointer"
    description: str
    key: str = attribute()
    content: Content = attribute(same=same_content)
    active: Content = attribute(same=accept_any)
    replica_region: str = attribute()
    replica_key: str = attribute(same=accept_any)
