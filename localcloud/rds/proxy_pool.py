"""The default target group of a proxy: how it pools connections."""

from __future__ import annotations

from typing import Any

from localcloud.rds import faults, proxy_find, proxy_policy
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Proxy, now

# AWS's defaults (CreateDBProxy, ConnectionPoolConfiguration).
DEFAULTS = {
    "MaxConnectionsPercent": 100,
    "MaxIdleConnectionsPercent": 50,
    "ConnectionBorrowTimeout": 120,
    "SessionPinningFilters": [],
}
_LONGEST_BORROW = 300
_ALL = 100


def shown(proxy: Proxy) -> dict[str, Any]:
    """Return the target group as the API shows it."""
    return {
        "DBProxyName": proxy.name,
        "TargetGroupName": "default",
        "TargetGroupArn": proxy.group_arn,
        "IsDefault": True,
        "Status": "available",
        "ConnectionPoolConfig": dict(proxy.pool),
        "CreatedDate": proxy.created,
        "UpdatedDate": proxy.updated,
    }


@operation("DescribeDBProxyTargetGroups")
def describe_db_proxy_target_groups(call: Call) -> Answer:
    """The one target group a proxy has."""
    proxy = proxy_find.by_name(call)
    proxy_find.require_group(call, proxy)
    return {"TargetGroups": [shown(proxy)]}


def _check(pool: dict[str, Any]) -> None:
    most, idle = int(pool["MaxConnectionsPercent"]), int(pool["MaxIdleConnectionsPercent"])
    if not 1 <= most <= _ALL:
        raise faults.invalid_value(f"Invalid MaxConnectionsPercent: {most}")
    if not 0 <= idle <= most:
        raise faults.invalid_value(
            f"MaxIdleConnectionsPercent {idle} has to be from 0 to MaxConnectionsPercent {most}."
        )
    if not 0 <= int(pool["ConnectionBorrowTimeout"]) <= _LONGEST_BORROW:
        raise faults.invalid_value("ConnectionBorrowTimeout has to be from 0 to 300.")
    if pool.get("SessionPinningFilters"):
        raise faults.invalid_value("PostgreSQL has no session pinning filters.")


@operation("ModifyDBProxyTargetGroup")
def modify_db_proxy_target_group(call: Call) -> Answer:
    """Change the pool; new sessions obey it."""
    proxy = proxy_find.by_name(call)
    proxy_find.require_group(call, proxy)
    if call.has("NewName"):
        raise faults.not_simulated("ModifyDBProxyTargetGroup", "NewName is not offered.")
    wanted = {**proxy.pool, **call.get("ConnectionPoolConfig", {})}
    _check(wanted)
    proxy.pool = wanted
    proxy.updated = now()
    proxy_policy.refresh(call.home, proxy)
    return {"DBProxyTargetGroup": shown(proxy)}
