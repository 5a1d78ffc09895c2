"""What the sessions of a proxy obey, made from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.proxy import listener
from localcloud.proxy.session import Policy
from localcloud.rds import proxy_secrets, proxy_targets
from localcloud.rds.records import Proxy

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def make(home: Home, proxy: Proxy, host: str) -> Policy:
    """Return the policy of a proxy that listens on ``host``."""

    def credentials(user: str) -> str | None:
        with home.runtime.lock:
            return proxy_secrets.credentials(home, proxy).get(user)

    return Policy(
        credentials=credentials,
        backend=lambda: proxy_targets.backend_of(home, proxy),
        tls=listener.server_context(home.runtime.authority.issue(host)),
        require_tls=proxy.settings["RequireTLS"],
        borrow_timeout=float(proxy.pool["ConnectionBorrowTimeout"]),
        idle_timeout=float(proxy.settings["IdleClientTimeout"]),
        percent=int(proxy.pool["MaxConnectionsPercent"]),
        clock=home.runtime.clock.monotonic,
    )


def refresh(home: Home, proxy: Proxy) -> None:
    """Let new sessions obey the proxy's present settings."""
    if proxy.listener is not None:
        proxy.listener.policy = make(home, proxy, proxy.listener.address.host)
