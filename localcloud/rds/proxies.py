"""RDS Proxy: the API of a proxy, and the listener behind it."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from localcloud.proxy.listener import Listener
from localcloud.rds import (
    events,
    faults,
    keys,
    networks,
    proxy_find,
    proxy_policy,
    proxy_pool,
    proxy_secrets,
)
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Proxy, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
_NAME_LIMIT = 63
_FEWEST_ZONES = 2
_LONGEST_IDLE = 28800
_SCRAM = "POSTGRES_SCRAM_SHA_256"


def shown(proxy: Proxy) -> dict[str, Any]:
    """Return a proxy as the API shows it."""
    facts = {
        "DBProxyName": proxy.name,
        "DBProxyArn": proxy.arn,
        "Status": proxy.status,
        "CreatedDate": proxy.created,
        "UpdatedDate": proxy.updated,
        **proxy.settings,
    }
    if proxy.listener is not None:
        address = proxy.listener.address
        # The API has no port: it is 5432, and named only where an address cannot be had.
        port = "" if address.port == 5432 else f":{address.port}"  # noqa: PLR2004
        facts["Endpoint"] = f"{address.host}{port}"
    return facts


@operation("CreateDBProxy")
def create_db_proxy(call: Call) -> Answer:
    """Make a proxy; its listener comes beside the call."""
    home = call.home
    name = str(call.need("DBProxyName")).lower()
    if len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        raise faults.invalid_value(f"Invalid DB proxy name: {name}")
    if name in home.proxies:
        raise faults.Fault("DBProxyAlreadyExistsFault", f"DB proxy {name} already exists.")
    if call.need("EngineFamily") != "POSTGRESQL":
        raise faults.not_simulated("CreateDBProxy", "The only engine family is POSTGRESQL.")
    keys.require_role(home, call.need("RoleArn"), "rds.amazonaws.com")
    proxy = Proxy(
        name=name,
        arn=home.arn("db-proxy", f"prx-{secrets.token_hex(9)[:17]}"),
        group_arn=home.arn("target-group", f"prx-tg-{secrets.token_hex(9)[:17]}"),
        settings={
            "EngineFamily": "POSTGRESQL",
            "RoleArn": call.get("RoleArn"),
            "RequireTLS": bool(call.get("RequireTLS", False)),
            "IdleClientTimeout": _idle(call, 1800),
            "DebugLogging": bool(call.get("DebugLogging", False)),
            "DefaultAuthScheme": call.get("DefaultAuthScheme", "NONE"),
            "Auth": _auth(call),
            **_network(call),
        },
        tags=list(call.get("Tags", [])),
        created=now(),
        updated=now(),
        pool=dict(proxy_pool.DEFAULTS),
    )
    home.proxies[name] = proxy
    _launch(home, proxy)
    return {"DBProxy": shown(proxy)}


def _idle(call: Call, current: int) -> int:
    seconds = int(call.get("IdleClientTimeout", current))
    if not 1 <= seconds <= _LONGEST_IDLE:
        raise faults.invalid_value(f"Invalid IdleClientTimeout: {seconds}")
    return seconds


def _network(call: Call) -> dict[str, Any]:
    subnets = networks.subnets(call.home, call.need("VpcSubnetIds"))
    vpc = subnets[0]["vpc"]
    if len({subnet["vpc"] for subnet in subnets}) > 1:
        raise faults.Fault("InvalidSubnet", "The subnets are not all in the same VPC.")
    if len({subnet["zone"] for subnet in subnets}) < _FEWEST_ZONES:
        raise faults.Fault(
            "InvalidSubnet", "A DB proxy needs subnets in at least two availability zones."
        )
    given = call.get("VpcSecurityGroupIds")
    groups = (
        networks.security_groups(call.home, given, vpc)
        if given
        else networks.default_security_group(call.home, vpc)
    )
    names = [subnet["id"] for subnet in subnets]
    return {"VpcId": vpc, "VpcSubnetIds": names, "VpcSecurityGroupIds": groups}


def _auth(call: Call) -> list[dict[str, Any]]:
    rows = []
    for given in call.get("Auth", []):
        if given.get("IAMAuth", "DISABLED") != "DISABLED":
            raise faults.not_simulated(call.operation, "IAMAuth has to be DISABLED.")
        kind = given.get("ClientPasswordAuthType", _SCRAM)
        if kind != _SCRAM:
            raise faults.not_simulated(
                call.operation, f"ClientPasswordAuthType has to be {_SCRAM}."
            )
        arn = given.get("SecretArn")
        if not arn or not proxy_secrets.exists(call.home, arn):
            raise faults.invalid_value(f"Invalid secret ARN: {arn}")
        row = {"AuthScheme": "SECRETS", "SecretArn": arn, "IAMAuth": "DISABLED"}
        rows.append(
            {**row, "ClientPasswordAuthType": kind, "Description": given.get("Description")}
        )
    if not rows:
        raise faults.invalid_combination("Auth needs at least one secret.")
    return rows


def _launch(home: Home, proxy: Proxy) -> None:
    runtime = home.runtime
    made: list[Listener] = []

    def work() -> None:
        address = runtime.take_address(5432)
        made.append(
            Listener(runtime.event_loop, address, proxy_policy.make(home, proxy, address.host))
        )

    def done() -> None:
        with runtime.lock:
            proxy.listener = made[0]
            runtime.keep_listener(proxy.arn, made[0])
            proxy.status = "available"
            message = f"RDS created DB proxy {proxy.name}."
            events.add_other(home, proxy.name, "db-proxy", proxy.arn, message, "creation")

    def failed(_: BaseException) -> None:
        with runtime.lock:
            proxy.status = "insufficient-resource-limits"

    runtime.lifecycle.begin("proxy", work, done, failed)


@operation("DescribeDBProxies")
def describe_db_proxies(call: Call) -> Answer:
    """All proxies of a region, or one."""
    if call.has("DBProxyName"):
        return {"DBProxies": [shown(proxy_find.by_name(call))]}
    proxies = call.home.proxies
    return {"DBProxies": [shown(proxies[name]) for name in sorted(proxies)]}


@operation("ModifyDBProxy")
def modify_db_proxy(call: Call) -> Answer:
    """Change a proxy; the list of secrets is replaced as a whole."""
    home = call.home
    proxy = proxy_find.available(call)
    if call.has("NewDBProxyName"):
        raise faults.not_simulated("ModifyDBProxy", "NewDBProxyName is not offered.")
    changes: dict[str, Any] = {
        "IdleClientTimeout": _idle(call, proxy.settings["IdleClientTimeout"])
    }
    if call.has("Auth"):
        changes["Auth"] = _auth(call)
    if call.has("RoleArn"):
        keys.require_role(home, call.get("RoleArn"), "rds.amazonaws.com")
    for name in ("RequireTLS", "DebugLogging", "RoleArn"):
        if call.has(name):
            changes[name] = call.get(name)
    if call.has("SecurityGroups"):
        changes["VpcSecurityGroupIds"] = networks.security_groups(
            home, call.get("SecurityGroups"), proxy.settings["VpcId"]
        )
    proxy.settings.update(changes)
    proxy.updated = now()
    proxy.status = "modifying"
    proxy_policy.refresh(home, proxy)

    def done() -> None:
        with home.runtime.lock:
            proxy.status = "available"

    home.runtime.lifecycle.begin("proxy", lambda: None, done, lambda _: done())
    return {"DBProxy": shown(proxy)}


@operation("DeleteDBProxy")
def delete_db_proxy(call: Call) -> Answer:
    """Delete a proxy with its listener and every session."""
    home = call.home
    proxy = proxy_find.by_name(call)
    if proxy.status == "deleting":
        raise faults.Fault("InvalidDBProxyStateFault", f"DB proxy {proxy.name} is being deleted.")
    proxy.status = "deleting"

    def work() -> None:
        home.runtime.drop_listener(proxy.arn)

    def done() -> None:
        with home.runtime.lock:
            home.proxies.pop(proxy.name, None)

    home.runtime.lifecycle.begin("delete", work, done, lambda _: done())
    return {"DBProxy": shown(proxy)}
