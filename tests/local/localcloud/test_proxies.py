"""Conformance: a proxy checks the registered secrets and follows the registered target."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import psycopg
import pytest

from tests.local.localcloud import conftest
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "rds.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def _await(ask: Any, wanted: Any) -> Any:
    pause = threading.Event()
    end = time.monotonic() + 20
    while (found := ask()) != wanted:
        assert time.monotonic() < end, f"{found}, not {wanted}"
        pause.wait(0.05)
    return found


def _secret(cloud: Any, name: str, user: str, password: str) -> str:
    content = json.dumps({"username": user, "password": password})
    return str(cloud.client("secretsmanager").create_secret(Name=name, SecretString=content)["ARN"])


@pytest.fixture(scope="module")
def pooled(cloud: Any) -> dict[str, Any]:
    """An instance of its own, a proxy to it, and what is needed to use them."""
    rds, ec2, iam = cloud.client("rds"), cloud.client("ec2"), cloud.client("iam")
    role = iam.create_role(RoleName="proxy", AssumeRolePolicyDocument=json.dumps(TRUST))
    subnets = [item["SubnetId"] for item in ec2.describe_subnets()["Subnets"]][:3]
    secret = _secret(cloud, "proxy/master", conftest.MASTER, conftest.PASSWORD)
    cloud.create("pooled", BackupRetentionPeriod=1)
    given = {
        "DBProxyName": "pool",
        "EngineFamily": "POSTGRESQL",
        "Auth": [{"AuthScheme": "SECRETS", "SecretArn": secret, "IAMAuth": "DISABLED"}],
        "RoleArn": role["Role"]["Arn"],
        "VpcSubnetIds": subnets,
        "RequireTLS": True,
    }
    assert rds.create_db_proxy(**given)["DBProxy"]["Status"] == "creating"
    _await(
        lambda: rds.describe_db_proxies(DBProxyName="pool")["DBProxies"][0]["Status"], "available"
    )
    rds.modify_db_proxy_target_group(
        DBProxyName="pool",
        TargetGroupName="default",
        ConnectionPoolConfig={
            "MaxConnectionsPercent": 80,
            "MaxIdleConnectionsPercent": 40,
            "ConnectionBorrowTimeout": 1,
        },
    )
    answer = rds.register_db_proxy_targets(DBProxyName="pool", DBInstanceIdentifiers=["pooled"])
    assert answer["DBProxyTargets"][0]["TargetHealth"]["State"] == "REGISTERING"
    _await(lambda: _health(cloud)["State"], "AVAILABLE")
    host = rds.describe_db_proxies(DBProxyName="pool")["DBProxies"][0]["Endpoint"]
    return {"host": host, "given": given, "secret": secret}


def _health(cloud: Any) -> dict[str, Any]:
    targets = cloud.client("rds").describe_db_proxy_targets(DBProxyName="pool")["Targets"]
    found: dict[str, Any] = targets[0]["TargetHealth"]
    return found


def test_clients_reach_the_target(cloud: Any, pooled: dict[str, Any]) -> None:
    # UG rds-proxy: the endpoint takes clients with verified TLS and SCRAM.
    with cloud.connect(pooled["host"], require_auth="scram-sha-256") as session:
        assert session.execute("SELECT current_user, current_database()").fetchone() == (
            conftest.MASTER,
            "haven",
        )
        session.execute(
            "CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)"
        )
        assert len(session.execute("SELECT * FROM large").fetchall()) == 5000


REFUSED = [
    ("a wrong password", {"password": "wrong-password"}, "is wrong"),
    ("a user without a secret", {"user": "nobody"}, "no credentials for the role nobody"),
    ("no TLS where it is required", {"sslmode": "disable"}, "requires TLS"),
    ("options at startup", {"options": "-c work_mem=64"}, "doesn't support command-line options"),
    ("a database that is not there", {"dbname": "none"}, "does not exist"),
]


@pytest.mark.parametrize(("rule", "change", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(
    cloud: Any, pooled: dict[str, Any], rule: str, change: dict[str, str], words: str
) -> None:
    # UG rds-proxy.troubleshooting and rds-proxy-planning.
    with pytest.raises(psycopg.OperationalError, match=words):
        cloud.connect(pooled["host"], **change)
    assert rule


def test_the_rules_of_registration(cloud: Any, pooled: dict[str, Any]) -> None:
    # UG rds-proxy: one target per proxy, the writer only; API: names are taken once.
    rds = cloud.client("rds")
    register = rds.register_db_proxy_targets
    assert refusal(register, DBProxyName="pool", DBInstanceIdentifiers=["pooled"])[0] == (
        "DBProxyTargetAlreadyRegisteredFault"
    )
    assert refusal(rds.create_db_proxy, **pooled["given"])[0] == "DBProxyAlreadyExistsFault"
    assert (
        refusal(rds.deregister_db_proxy_targets, DBProxyName="pool", DBInstanceIdentifiers=["x"])[0]
        == "DBProxyTargetNotFoundFault"
    )
    code, message = refusal(
        rds.modify_db_proxy,
        DBProxyName="pool",
        Auth=[{"SecretArn": "arn:aws:secretsmanager:none", "IAMAuth": "DISABLED"}],
    )
    assert code == "InvalidParameterValue", message


def test_the_secret_is_followed_not_remembered(cloud: Any, pooled: dict[str, Any]) -> None:
    # UG rds-proxy-secrets-arns: the proxy uses the AWSCURRENT version of the secret.
    secrets = cloud.client("secretsmanager")
    direct = cloud.describe("pooled")["Endpoint"]["Address"]
    with cloud.connect(direct) as session:
        session.execute("CREATE ROLE rotated LOGIN PASSWORD 'First-Horse-1'")
        session.execute("GRANT CONNECT ON DATABASE haven TO rotated")
    arn = _secret(cloud, "proxy/rotated", "rotated", "First-Horse-1")
    auth = [
        {"AuthScheme": "SECRETS", "SecretArn": item, "IAMAuth": "DISABLED"}
        for item in (pooled["secret"], arn)
    ]
    rds = cloud.client("rds")
    rds.modify_db_proxy(DBProxyName="pool", Auth=auth)
    _await(
        lambda: rds.describe_db_proxies(DBProxyName="pool")["DBProxies"][0]["Status"], "available"
    )
    first = {"user": "rotated", "password": "First-Horse-1"}
    second = {"user": "rotated", "password": "Second-Horse-2"}
    cloud.connect(pooled["host"], **first).close()
    with cloud.connect(direct) as session:
        session.execute("ALTER ROLE rotated PASSWORD 'Second-Horse-2'")
    # Between the change of the role and that of the label nobody gets through.
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        cloud.connect(pooled["host"], **first)
    content = json.dumps({"username": "rotated", "password": "Second-Horse-2"})
    secrets.put_secret_value(SecretId=arn, SecretString=content)
    cloud.connect(pooled["host"], **second).close()
    with pytest.raises(psycopg.OperationalError, match="is wrong"):
        cloud.connect(pooled["host"], **first)


def test_a_proxy_waits_for_its_target_and_lets_it_go(cloud: Any, pooled: dict[str, Any]) -> None:
    # UG rds-proxy: new connections wait as long as a borrow may take; targets are deregistered.
    rds = cloud.client("rds")
    rds.reboot_db_instance(DBInstanceIdentifier="pooled")
    cloud.connect(pooled["host"]).close()
    cloud.await_status("pooled")
    with cloud.connect(pooled["host"]) as session:
        rds.deregister_db_proxy_targets(DBProxyName="pool", DBInstanceIdentifiers=["pooled"])
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="Timed-out waiting"):
        cloud.connect(pooled["host"])
    rds.register_db_proxy_targets(DBProxyName="pool", DBInstanceIdentifiers=["pooled"])
    cloud.connect(pooled["host"]).close()


def test_a_replica_is_no_target(cloud: Any, pooled: dict[str, Any], name: str) -> None:
    # UG rds-proxy: a read replica cannot be the target of an RDS instance's proxy.
    rds = cloud.client("rds")
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier=name, SourceDBInstanceIdentifier="pooled"
    )
    cloud.await_status(name)
    rds.deregister_db_proxy_targets(DBProxyName="pool", DBInstanceIdentifiers=["pooled"])
    code, _ = refusal(
        rds.register_db_proxy_targets, DBProxyName="pool", DBInstanceIdentifiers=[name]
    )
    rds.register_db_proxy_targets(DBProxyName="pool", DBInstanceIdentifiers=["pooled"])
    assert code == "InvalidDBInstanceState"
    assert pooled["host"]


def test_a_secret_may_be_empty_yet(cloud: Any, pooled: dict[str, Any], name: str) -> None:
    # API CreateDBProxy, Auth: a secret's ARN. Its value is read when connections are made
    # (UG "rds-proxy-secrets-arns"), so it may be put after the proxy is made.
    rds = cloud.client("rds")
    secret = cloud.client("secretsmanager").create_secret(Name=name)["ARN"]
    auth = [{"AuthScheme": "SECRETS", "SecretArn": secret, "IAMAuth": "DISABLED"}]
    made = rds.create_db_proxy(**{**pooled["given"], "DBProxyName": name, "Auth": auth})
    assert made["DBProxy"]["Auth"][0]["SecretArn"] == secret
    rds.delete_db_proxy(DBProxyName=name)
