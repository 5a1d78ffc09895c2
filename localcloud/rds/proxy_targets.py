"""The one target of a proxy: registering it, following it, telling its health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from localcloud.proxy.session import Backend
from localcloud.rds import faults, proxy_find, proxy_secrets
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Proxy, Target

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_ACCEPTED = {"available", "modifying", "backing-up", "storage-optimization"}


def instance_of(home: Home, proxy: Proxy) -> Instance | None:
    """Return the registered instance while it exists."""
    if not proxy.targets:
        return None
    found = home.instances.get(proxy.targets[0].identifier)
    if found is None or found.resource_id != proxy.targets[0].resource_id or found.gone:
        proxy.targets.clear()
        return None
    return found


def backend_of(home: Home, proxy: Proxy) -> Backend | None:
    """Return the socket of the database that clients are to be connected with now."""
    if not proxy.targets:
        return None
    found = home.instances.get(proxy.targets[0].identifier)
    if found is None or found.cluster is None or not found.serving or found.source is not None:
        return None
    cluster = found.cluster
    socket = cluster.files.sockets / f".s.PGSQL.{cluster.address.port}"
    return Backend(found.resource_id, socket, int(cluster.parameters["max_connections"]))


def check(home: Home, proxy: Proxy) -> None:
    """Bring the target's health up to date with a login at the database."""
    found = instance_of(home, proxy)
    if found is None:
        return
    target = proxy.targets[0]
    state, reason, text = _health(home, proxy, found)
    target.state, target.reason, target.description = state, reason, text


def _health(home: Home, proxy: Proxy, found: Instance) -> tuple[str, str | None, str | None]:
    if found.source is not None:
        return "UNAVAILABLE", "INVALID_REPLICATION_STATE", "The target is a read replica."
    cluster = found.cluster
    if cluster is None or not found.serving or not cluster.running or cluster.frozen:
        return "UNAVAILABLE", "UNREACHABLE", f"The DB instance is {found.status}."
    table = proxy_secrets.credentials(home, proxy)
    if not table:
        text = "Proxy does not have any registered credentials"
        return "UNAVAILABLE", "AUTH_FAILURE", text
    problems = [
        problem
        for user, password in table.items()
        if (problem := _login_problem(found, user, password)) is not None
    ]
    # One working credential is enough for the target to be of use.
    if len(problems) < len(table):
        return "AVAILABLE", None, None
    return "UNAVAILABLE", "AUTH_FAILURE", problems[0]


def _login_problem(found: Instance, user: str, password: str) -> str | None:
    cluster = found.need_cluster()
    try:
        psycopg.connect(
            host=str(cluster.files.sockets),
            port=cluster.address.port,
            user=user,
            password=password,
            dbname=str(found.settings["DBName"] or "postgres"),
            sslmode="disable",
            connect_timeout=5,
            application_name="rdsproxy",
        ).close()
    except psycopg.OperationalError as error:
        return str(error).splitlines()[-1]
    return None


def shown(home: Home, proxy: Proxy) -> list[dict[str, Any]]:
    """Return the targets as the API shows them."""
    rows = []
    for target in proxy.targets:
        found = home.instances[target.identifier]
        row: dict[str, Any] = {
            "TargetArn": found.arn,
            "RdsResourceId": target.identifier,
            "Type": "RDS_INSTANCE",
            "Role": "READ_WRITE",
            "TargetHealth": {"State": target.state},
        }
        if target.reason:
            row["TargetHealth"]["Reason"] = target.reason
            row["TargetHealth"]["Description"] = target.description
        if found.cluster is not None:
            row["Endpoint"] = found.cluster.address.host
            row["Port"] = found.cluster.address.port
        rows.append(row)
    return rows


@operation("RegisterDBProxyTargets")
def register_db_proxy_targets(call: Call) -> Answer:
    """Register the writer; a replica and a second target are refused."""
    home = call.home
    proxy = proxy_find.available(call)
    names = call.get("DBInstanceIdentifiers", [])
    if call.get("DBClusterIdentifiers"):
        raise faults.not_simulated("RegisterDBProxyTargets", "There are no DB clusters.")
    if len(names) != 1:
        raise faults.invalid_combination("Exactly one DB instance can be registered.")
    found = home.instance(names[0])
    instance_of(home, proxy)
    if proxy.targets:
        raise faults.Fault(
            "DBProxyTargetAlreadyRegisteredFault",
            f"DB proxy {proxy.name} already has the target {proxy.targets[0].identifier}.",
        )
    if found.source is not None:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"DB Instance {found.identifier} is a read replica; only the writer can be a target.",
        )
    if found.status not in _ACCEPTED:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"DB Instance {found.identifier} is in an unsupported state - {found.status.upper()}, "
            "needs to be in [AVAILABLE, MODIFYING, BACKING_UP]",
        )
    proxy.targets.append(Target(found.identifier, found.resource_id))
    answer = shown(home, proxy)
    _verify(home, proxy)
    return {"DBProxyTargets": answer}


def _verify(home: Home, proxy: Proxy) -> None:
    def done() -> None:
        with home.runtime.lock:
            check(home, proxy)

    def failed(_: BaseException) -> None:
        with home.runtime.lock:
            for target in proxy.targets:
                target.state, target.reason = "UNAVAILABLE", "CONNECTION_FAILED"

    home.runtime.lifecycle.begin("proxy", lambda: None, done, failed)


@operation("DeregisterDBProxyTargets")
def deregister_db_proxy_targets(call: Call) -> Answer:
    """Take the target away; its sessions end, each after its transaction."""
    home = call.home
    proxy = proxy_find.by_name(call)
    names = [name.lower() for name in call.get("DBInstanceIdentifiers", [])]
    instance_of(home, proxy)
    for name in names:
        if name not in {target.identifier for target in proxy.targets}:
            raise faults.Fault(
                "DBProxyTargetNotFoundFault", f"Target {name} is not registered with {proxy.name}."
            )
    proxy.targets.clear()
    if proxy.listener is not None:
        proxy.listener.drain_except(None)
    return {}


@operation("DescribeDBProxyTargets")
def describe_db_proxy_targets(call: Call) -> Answer:
    """The target with its health as of now."""
    proxy = proxy_find.by_name(call)
    proxy_find.require_group(call, proxy)
    instance_of(call.home, proxy)
    if any(target.state != "REGISTERING" for target in proxy.targets):
        check(call.home, proxy)
    return {"Targets": shown(call.home, proxy)}
