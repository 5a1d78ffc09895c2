"""Conformance: what a proxy does to the sessions it carries."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.local.localcloud import conftest
from tests.local.localcloud.conftest import awaited
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

NAME, FIRST, SECOND = "carried", "carried-1", "carried-2"
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


@pytest.fixture(scope="module")
def proxy(cloud: Any) -> str:
    """The host of a proxy that has no target yet; beside it are two instances."""
    rds = cloud.client("rds")
    role = cloud.client("iam").create_role(
        RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    content = json.dumps({"username": conftest.MASTER, "password": conftest.PASSWORD})
    secret = cloud.client("secretsmanager").create_secret(Name=NAME, SecretString=content)
    for name in (FIRST, SECOND):
        rds.create_db_instance(**conftest.instance(name, BackupRetentionPeriod=0))
    subnets = cloud.client("ec2").describe_subnets()["Subnets"]
    rds.create_db_proxy(
        DBProxyName=NAME,
        EngineFamily="POSTGRESQL",
        Auth=[{"AuthScheme": "SECRETS", "SecretArn": secret["ARN"], "IAMAuth": "DISABLED"}],
        RoleArn=role["Role"]["Arn"],
        VpcSubnetIds=[subnet["SubnetId"] for subnet in subnets][:3],
        RequireTLS=True,
    )
    for name in (FIRST, SECOND):
        cloud.await_status(name)

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = rds.describe_db_proxies(DBProxyName=NAME)["DBProxies"][0]
        return found

    return str(awaited(shown, lambda found: found["Status"] == "available")["Endpoint"])


@pytest.fixture
def host(cloud: Any, proxy: str) -> Iterator[str]:
    """The proxy with the first instance for its target."""
    rds = cloud.client("rds")
    rds.register_db_proxy_targets(DBProxyName=NAME, DBInstanceIdentifiers=[FIRST])
    yield proxy
    for target in rds.describe_db_proxy_targets(DBProxyName=NAME)["Targets"]:
        rds.deregister_db_proxy_targets(
            DBProxyName=NAME, DBInstanceIdentifiers=[target["RdsResourceId"]]
        )


def _pool(cloud: Any, **changes: int) -> None:
    pool = {"MaxConnectionsPercent": 100, "MaxIdleConnectionsPercent": 0, **changes}
    cloud.client("rds").modify_db_proxy_target_group(
        DBProxyName=NAME, TargetGroupName="default", ConnectionPoolConfig=pool
    )


def _direct(cloud: Any, name: str = FIRST) -> psycopg.Connection[Any]:
    found: psycopg.Connection[Any] = cloud.connect(cloud.describe(name)["Endpoint"]["Address"])
    return found


@pytest.mark.parametrize("how", ["cancel", "cancel_safe"])
def test_a_client_cancels_its_own_query_only(cloud: Any, host: str, how: str) -> None:
    # PostgreSQL, "Canceling Requests in Progress": by the key of the session, in the clear or
    # by TLS. RDS Proxy does not do this; the local cloud does.
    with (
        _direct(cloud) as direct,
        cloud.connect(host) as victim,
        cloud.connect(host) as bystander,
        ThreadPoolExecutor(max_workers=2) as pool,
    ):
        direct.execute("SELECT pg_advisory_lock(1)")
        waiting = "SELECT pg_advisory_lock(1), pg_advisory_unlock(1)"
        runs = [pool.submit(session.execute, waiting) for session in (victim, bystander)]
        count = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        awaited(lambda: direct.execute(count).fetchone(), lambda row: row == (2,))
        getattr(victim, how)()
        with pytest.raises(psycopg.errors.QueryCanceled):
            runs[0].result(conftest.LIMIT)
        assert direct.execute(count).fetchone() == (1,)
        direct.execute("SELECT pg_advisory_unlock(1)")
        assert runs[1].result(conftest.LIMIT).rowcount == 1
        assert victim.execute("SELECT 1").fetchone() == (1,)


def test_a_client_knows_the_process_it_talks_to(cloud: Any, host: str) -> None:
    # The proxy gives a secret of its own with the process of the database.
    with cloud.connect(host) as session:
        assert session.execute("SELECT pg_backend_pid()").fetchone() == (session.info.backend_pid,)


def test_an_idle_client_is_sent_away_and_a_busy_one_is_not(cloud: Any, host: str) -> None:
    # RDS User Guide, "RDS Proxy connection considerations", IdleClientTimeout: no new request
    # since the one before completed. 1800 seconds when not said otherwise.
    with (
        _direct(cloud) as direct,
        cloud.connect(host) as idle,
        cloud.connect(host) as busy,
        ThreadPoolExecutor(max_workers=1) as pool,
    ):
        direct.execute("SELECT pg_advisory_lock(2)")
        run = pool.submit(busy.execute, "SELECT pg_advisory_lock(2)")
        count = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        waits = count + " AND wait_event_type = 'Lock'"
        awaited(
            lambda: direct.execute(waits, [busy.info.backend_pid]).fetchone(),
            lambda row: row == (1,),
        )
        cloud.control("POST", "clock", {"advance": 1801})
        awaited(
            lambda: direct.execute(count, [idle.info.backend_pid]).fetchone(),
            lambda row: row == (0,),
        )
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
        direct.execute("SELECT pg_advisory_unlock(2)")
        assert run.result(conftest.LIMIT).rowcount == 1
        assert busy.execute("SELECT 2").fetchone() == (2,)


def test_one_client_more_than_there_are_connections_waits(cloud: Any, host: str) -> None:
    # RDS User Guide, "RDS Proxy connection considerations": MaxConnectionsPercent of the
    # target's max_connections, and ConnectionBorrowTimeout for those beyond.
    with _direct(cloud) as direct:
        row = direct.execute("SHOW max_connections").fetchone()
    assert row
    assert int(row[0]) // 100 == 1
    _pool(cloud, MaxConnectionsPercent=1, ConnectionBorrowTimeout=1)
    with (
        cloud.connect(host) as only,
        pytest.raises(psycopg.OperationalError, match="Timed-out waiting to acquire database"),
    ):
        cloud.connect(host)
    _pool(cloud, MaxConnectionsPercent=1, ConnectionBorrowTimeout=60)
    only = cloud.connect(host)
    with ThreadPoolExecutor(max_workers=1) as pool:
        late = pool.submit(cloud.connect, host)
        assert not late.done()
        only.close()
        late.result(conftest.LIMIT).close()
    _pool(cloud, MaxConnectionsPercent=100)


def test_a_change_of_target_waits_for_transactions(cloud: Any, host: str) -> None:
    # RDS User Guide, "Registering targets": what is open goes on to the end of its
    # transaction, what comes after goes to the new target.
    rds = cloud.client("rds")
    with contextlib.ExitStack() as stack:
        idle, open_, reader = (stack.enter_context(cloud.connect(host)) for _ in range(3))
        open_.execute("BEGIN")
        open_.execute("CREATE TABLE kept ()")
        rows = reader.execute("SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        rds.deregister_db_proxy_targets(DBProxyName=NAME, DBInstanceIdentifiers=[FIRST])
        rds.register_db_proxy_targets(DBProxyName=NAME, DBInstanceIdentifiers=[SECOND])
        for session in (idle, reader):
            with pytest.raises(psycopg.errors.AdminShutdown):
                session.execute("SELECT 1")
        assert len(rows.fetchall()) == 20000
        with cloud.connect(host) as late:
            assert late.execute("SELECT to_regclass('kept')").fetchone() == (None,)
        open_.execute("INSERT INTO kept DEFAULT VALUES")
        open_.execute("COMMIT")
        with pytest.raises(psycopg.errors.AdminShutdown):
            open_.execute("SELECT 1")
    with _direct(cloud) as direct:
        assert direct.execute("SELECT count(*) FROM kept").fetchone() == (1,)
        direct.execute("DROP TABLE kept")


def test_a_transaction_that_failed_ends_before_its_session(cloud: Any, host: str) -> None:
    rds = cloud.client("rds")
    with cloud.connect(host) as session:
        session.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            session.execute("SELECT 1 / 0")
        rds.deregister_db_proxy_targets(DBProxyName=NAME, DBInstanceIdentifiers=[FIRST])
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            session.execute("SELECT 1")
        session.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.AdminShutdown):
            session.execute("SELECT 1")


def test_a_pool_stays_within_what_aws_takes(cloud: Any, proxy: str) -> None:
    # API ConnectionPoolConfiguration: the ranges.
    assert proxy
    change = cloud.client("rds").modify_db_proxy_target_group
    for pool in (
        {"MaxConnectionsPercent": 101},
        {"MaxConnectionsPercent": 10, "MaxIdleConnectionsPercent": 11},
        {"ConnectionBorrowTimeout": 301},
    ):
        given = {"DBProxyName": NAME, "TargetGroupName": "default", "ConnectionPoolConfig": pool}
        assert refusal(change, **given)[0] == "InvalidParameterValue"
