"""Finding a proxy and its default target group."""

from __future__ import annotations

from localcloud.rds import faults
from localcloud.rds.operations import Call
from localcloud.rds.records import Proxy


def by_name(call: Call) -> Proxy:
    """Return the proxy a call names."""
    name = str(call.need("DBProxyName")).lower()
    found = call.home.proxies.get(name)
    if found is None:
        raise faults.Fault("DBProxyNotFoundFault", f"DB proxy {name} not found.")
    return found


def available(call: Call) -> Proxy:
    """Return the proxy a call names; raise the fault when it is not available."""
    found = by_name(call)
    if found.status != "available":
        raise faults.Fault(
            "InvalidDBProxyStateFault",
            f"DB proxy {found.name} is in the state {found.status}; it has to be available.",
        )
    return found


def require_group(call: Call, proxy: Proxy) -> None:
    """Raise the fault when a target group other than the default one is named."""
    name = call.get("TargetGroupName", "default")
    if name != "default":
        raise faults.Fault(
            "DBProxyTargetGroupNotFoundFault",
            f"DB proxy target group {name} of {proxy.name} not found.",
        )
