"""The proxy of a promotion: what it would follow, and letting it follow that."""

from __future__ import annotations

from typing import cast

from flows.frame import Run
from flows.observation import observe_stack
from haven.stack.layout import Member
from haven.stack.proxy import Proxy, ProxyTarget
from haven.stack.resource import Found
from haven.stack.topology import topology
from tasks.proxies import apply_proxy_target


def proxy_of(run: Run) -> Proxy:
    """Return the proxy on the side where a stack's primary is."""
    stack = run.loaded.stack
    return next(
        item for item in topology(stack) if isinstance(item, Proxy) and item.region == stack.region
    )


def followed(proxy: Proxy, member: Member) -> ProxyTarget:
    """Return a proxy's target."""
    return ProxyTarget(
        name=proxy.name,
        region=proxy.region,
        role="proxy-target",
        proxy=proxy.name,
        instance=member.name,
    )


def follow(run: Run, proxy: Proxy, member: Member) -> str:
    """Let a proxy follow an instance and no other; return the proxy's host."""
    target = followed(proxy, member)
    observed = observe_stack(run, [proxy, target])
    found = cast("Found[ProxyTarget] | None", observed.get(target.address))
    apply_proxy_target(run.site, target, found, ())
    return observed[proxy.address].outputs["host"]
