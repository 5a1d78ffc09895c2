"""RDS Proxy: proxies, their pool settings, and the target they follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack.proxy import Proxy, ProxyTarget
from haven.stack.resource import Found, Resource
from haven.waiting import Wait, wait_for
from tasks.instance_waits import after_backup
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, only

MISSING = ("DBProxyNotFoundFault", "DBProxyNotFound")
TARGET_MISSING = ("DBProxyTargetNotFoundFault", "DBProxyTargetNotFound")
FATAL = frozenset({"incompatible-network", "insufficient-resource-limits", "deleting"})
FATAL_HEALTH = frozenset({"INVALID_REPLICATION_STATE"})
POOL = {
    "max_connections_percent": "MaxConnectionsPercent",
    "max_idle_percent": "MaxIdleConnectionsPercent",
    "borrow_timeout_seconds": "ConnectionBorrowTimeout",
}


@looks
def observe_proxies(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read each proxy, its pool settings and its target."""
    rds = site.cloud.client("rds", region)
    found: dict[str, Found[Resource]] = {}
    for proxy in only(Proxy, wanted):
        try:
            item = rds.describe_db_proxies(DBProxyName=proxy.name)["DBProxies"][0]
        except ClientError as error:
            if is_code(error, *MISSING):
                continue
            raise
        groups = rds.describe_db_proxy_target_groups(DBProxyName=proxy.name)["TargetGroups"]
        found[proxy.address] = _read(proxy, item, groups[0].get("ConnectionPoolConfig", {}))
        for target in only(ProxyTarget, wanted):
            if target.name == proxy.name:
                found |= _target(rds, target)
    return found


def _read(proxy: Proxy, item: dict[str, Any], pool: Mapping[str, int]) -> Found[Resource]:
    seen = Proxy(
        name=proxy.name,
        region=proxy.region,
        subnets_of=",".join(item["VpcSubnetIds"]),
        iam_role=item["RoleArn"],
        security_groups=tuple(item["VpcSecurityGroupIds"]),
        secrets=tuple(entry["SecretArn"] for entry in item["Auth"]),
        require_tls=item["RequireTLS"],
        idle_client_seconds=item["IdleClientTimeout"],
        max_connections_percent=pool.get("MaxConnectionsPercent", 0),
        max_idle_percent=pool.get("MaxIdleConnectionsPercent", 0),
        borrow_timeout_seconds=pool.get("ConnectionBorrowTimeout", 0),
        vpc=item.get("VpcId", ""),
    )
    return Found(seen, item["DBProxyArn"], _outputs(item))


def _outputs(item: dict[str, Any]) -> dict[str, str]:
    return {
        "arn": item["DBProxyArn"],
        "name": item["DBProxyName"],
        "host": item.get("Endpoint", ""),
        "status": item["Status"],
    }


def _target(rds: Any, wanted: ProxyTarget) -> dict[str, Found[Resource]]:
    try:
        targets = rds.describe_db_proxy_targets(DBProxyName=wanted.name)["Targets"]
    except ClientError as error:
        if is_code(error, *MISSING):
            return {}
        raise
    instances = sorted(target["RdsResourceId"] for target in targets)
    if not instances:
        return {}
    seen = ProxyTarget(
        name=wanted.name, region=wanted.region, proxy=wanted.name, instance=",".join(instances)
    )
    return {wanted.address: Found(seen, "")}


@changes
def apply_proxy(
    site: Site, proxy: Proxy, found: Found[Proxy] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the proxy or modify what differs, wait until it is available, set its pool."""
    rds = site.client("rds", proxy)
    attributes = {change.attribute for change in changed}
    if not found:
        _create(site, rds, proxy)
    elif attributes - POOL.keys():
        rds.modify_db_proxy(
            DBProxyName=proxy.name,
            Auth=_auth(proxy),
            RequireTLS=proxy.require_tls,
            IdleClientTimeout=proxy.idle_client_seconds,
            RoleArn=proxy.iam_role,
            SecurityGroups=list(proxy.security_groups),
        )
    item = _wait(site, proxy)
    if not found or attributes & POOL.keys():
        rds.modify_db_proxy_target_group(
            DBProxyName=proxy.name,
            TargetGroupName="default",
            ConnectionPoolConfig={key: getattr(proxy, name) for name, key in POOL.items()},
        )
    return Found(proxy, item["DBProxyArn"], _outputs(item), site.tags(proxy))


def _create(site: Site, rds: Any, proxy: Proxy) -> None:
    try:
        rds.create_db_proxy(
            DBProxyName=proxy.name,
            EngineFamily="POSTGRESQL",
            Auth=_auth(proxy),
            RoleArn=proxy.iam_role,
            VpcSubnetIds=proxy.subnets_of.split(","),
            VpcSecurityGroupIds=list(proxy.security_groups),
            RequireTLS=proxy.require_tls,
            IdleClientTimeout=proxy.idle_client_seconds,
            DebugLogging=False,
            Tags=site.tag_list(proxy),
        )
    except ClientError as error:
        if not is_code(error, "DBProxyAlreadyExistsFault", "DBProxyAlreadyExists"):
            raise


def _auth(proxy: Proxy) -> list[dict[str, str]]:
    return [
        {
            "AuthScheme": "SECRETS",
            "SecretArn": secret,
            "IAMAuth": "DISABLED",
            "ClientPasswordAuthType": "POSTGRES_SCRAM_SHA_256",
        }
        for secret in proxy.secrets
    ]


def _wait(site: Site, proxy: Proxy) -> dict[str, Any]:
    rds, settings = site.client("rds", proxy), site.cloud.settings
    return wait_for(
        Wait(
            what=f"{proxy.address} to be available",
            probe=lambda: rds.describe_db_proxies(DBProxyName=proxy.name)["DBProxies"][0],
            reached=lambda item: item["Status"] == "available" and bool(item.get("Endpoint")),
            fatal=lambda item: item["Status"] if item["Status"] in FATAL else None,
            interval=settings.interval,
            deadline=settings.deadline,
            describe=lambda item: str(item["Status"]),
        )
    )


@changes
def apply_proxy_target(
    site: Site, target: ProxyTarget, found: Found[ProxyTarget] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Let the proxy follow the wanted instance alone, and wait until it reaches it."""
    rds = site.client("rds", target)
    registered = found.resource.instance.split(",") if found else []
    _let_go(rds, target.proxy, [name for name in registered if name != target.instance])
    try:
        after_backup(
            site,
            target.region,
            target.instance,
            lambda: rds.register_db_proxy_targets(
                DBProxyName=target.proxy, DBInstanceIdentifiers=[target.instance]
            ),
        )
    except ClientError as error:
        if not is_code(error, "DBProxyTargetAlreadyRegisteredFault"):
            raise
    wait_target(site, target)
    return Found(target, "")


@changes
def release_targets(site: Site, target: ProxyTarget) -> None:
    """Let a proxy lead nowhere, whatever it follows; its sessions end."""
    rds = site.client("rds", target)
    targets = rds.describe_db_proxy_targets(DBProxyName=target.proxy)["Targets"]
    _let_go(rds, target.proxy, [item["RdsResourceId"] for item in targets])


def _let_go(rds: Any, proxy: str, instances: list[str]) -> None:
    """Take instances from a proxy; what an unanswered request has taken is gone already."""
    if not instances:
        return
    try:
        rds.deregister_db_proxy_targets(DBProxyName=proxy, DBInstanceIdentifiers=instances)
    except ClientError as error:
        if not is_code(error, *TARGET_MISSING):
            raise


def wait_target(site: Site, target: ProxyTarget) -> None:
    """Wait until the proxy says that its target is available."""
    rds, settings = site.client("rds", target), site.cloud.settings
    wait_for(
        Wait(
            what=f"{target.address} to be available",
            probe=lambda: _health(rds, target),
            reached=lambda health: health.get("State") == "AVAILABLE",
            fatal=lambda health: (
                health.get("Reason") if health.get("Reason") in FATAL_HEALTH else None
            ),
            interval=settings.interval,
            deadline=settings.deadline,
            describe=lambda health: f"{health.get('State')} {health.get('Reason', '')}".strip(),
        )
    )


@looks
def target_state(site: Site, target: ProxyTarget) -> str:
    """Return what the proxy says of its target, AVAILABLE if it serves, and the reason if any."""
    health = _health(site.client("rds", target), target)
    return f"{health.get('State', 'unknown')} {health.get('Reason', '')}".strip()


def _health(rds: Any, target: ProxyTarget) -> dict[str, str]:
    targets = rds.describe_db_proxy_targets(DBProxyName=target.proxy)["Targets"]
    for item in targets:
        if item["RdsResourceId"] == target.instance:
            health: dict[str, str] = item.get("TargetHealth", {})
            return health
    return {"State": "not registered"}


@changes
def delete_proxy(site: Site, found: Found[Proxy]) -> None:
    """Delete the proxy with its registrations and wait until it is gone."""
    proxy = found.resource
    rds, settings = site.client("rds", proxy), site.cloud.settings
    if not _listed(rds, proxy.name):
        return
    rds.delete_db_proxy(DBProxyName=proxy.name)
    wait_for(
        Wait(
            what=f"{proxy.address} to be gone",
            probe=lambda: _listed(rds, proxy.name),
            reached=lambda listed: not listed,
            fatal=lambda _: None,
            interval=settings.interval,
            deadline=settings.deadline,
        )
    )


def _listed(rds: Any, name: str) -> bool:
    try:
        return bool(rds.describe_db_proxies(DBProxyName=name)["DBProxies"])
    except ClientError as error:
        if is_code(error, *MISSING):
            return False
        raise
