"""RDS Proxy: a listener with pooled connections to the writer, and the target it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.plan import Cost
from haven.stack.resource import Resource, attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy(Resource):
    """A proxy with its default target group; percents are of ``max_connections``."""

    kind: ClassVar[str] = "proxy"
    subnets_of: str
    iam_role: str = attribute()
    security_groups: tuple[str, ...] = attribute(
        same=lambda want, have: sorted(want) == sorted(have)
    )
    secrets: tuple[str, ...] = attribute(same=lambda want, have: sorted(want) == sorted(have))
    require_tls: bool = attribute(default=True)
    idle_client_seconds: int = attribute()
    max_connections_percent: int = attribute()
    max_idle_percent: int = attribute()
    borrow_timeout_seconds: int = attribute()
    vpc: str = attribute(cost=Cost.REPLACEMENT, same=lambda want, have: not want or want == have)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTarget(Resource):
    """The one instance that a proxy sends its connections to."""

    kind: ClassVar[str] = "proxy-target"
    tagged: ClassVar[bool] = False
    proxy: str
    instance: str = attribute()
