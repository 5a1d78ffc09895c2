"""Conformance: instances are real clusters, limited and secured as on RDS."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.local.localcloud import conftest
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local


def test_status_goes_through_creating_and_backing_up(cloud: Any, name: str) -> None:
    # UG Overview.DBInstance.Status: creating, then backing-up when backups are kept.
    cloud.control("POST", "latency", {"instance": 0.5})
    try:
        found = cloud.create(name)
    finally:
        cloud.control("POST", "latency", {"instance": 0})
    assert found["seen"] == ["creating", "backing-up", "available"]
    assert found["LatestRestorableTime"] >= found["InstanceCreateTime"]
    cloud.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    assert cloud.await_status(name, "gone")["seen"] in ([], ["deleting"])


def test_attributes_are_those_of_aws(cloud: Any, primary: dict[str, Any]) -> None:
    # API DBInstance: gp3 reports its baseline, identifiers are the instance's own.
    assert (primary["Iops"], primary["StorageThroughput"]) == (3000, 125)
    assert primary["DbiResourceId"].startswith("db-")
    assert primary["PendingModifiedValues"] == {}
    assert primary["CertificateDetails"]["CAIdentifier"] == "rds-ca-rsa2048-g1"
    assert primary["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    assert primary["Endpoint"]["Port"] == 5432
    assert primary["EngineVersion"].startswith("15.")
    assert cloud.describe("shared")["DBInstanceArn"].endswith(":db:shared")


def test_tls_is_verified_and_forced(cloud: Any, primary: dict[str, Any]) -> None:
    # UG PostgreSQL.Concepts.General.SSL: rds.force_ssl is 1 from PostgreSQL 15 on.
    host = primary["Endpoint"]["Address"]
    with cloud.connect(host) as session:
        row = session.execute(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()
        assert row == (True, "TLSv1.3")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        cloud.connect(host, sslmode="disable")


def test_passwords_are_scram_only(cloud: Any, primary: dict[str, Any]) -> None:
    # UG PostgreSQL_Password_Encryption_configuration: SCRAM.
    host = primary["Endpoint"]["Address"]
    cloud.connect(host, require_auth="scram-sha-256").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        cloud.connect(host, password="wrong-password")  # noqa: S106  # the point


@pytest.mark.parametrize("role", ["rdsadmin", "rdsrepladmin"])
def test_internal_roles_cannot_log_in_over_tcp(
    cloud: Any, primary: dict[str, Any], role: str
) -> None:
    # UG Appendix.PostgreSQL.CommonDBATasks.Roles: rdsadmin is RDS's own.
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        cloud.connect(primary["Endpoint"]["Address"], user=role)


def test_the_master_is_no_superuser(cloud: Any, primary: dict[str, Any]) -> None:
    # UG Appendix.PostgreSQL.CommonDBATasks.Roles: what rds_superuser can and cannot.
    with cloud.connect(primary["Endpoint"]["Address"]) as session:
        row = session.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication, "
            "pg_has_role('rds_superuser', 'member'), pg_has_role('pg_monitor', 'member') "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, True, True, False, False, True, True)
        for forbidden in (
            "ALTER SYSTEM SET work_mem = '1MB'",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "COPY (SELECT 1) TO '/tmp/x'",
            "ALTER ROLE CURRENT_USER SUPERUSER",
            "ALTER ROLE CURRENT_USER BYPASSRLS",
            "SELECT pg_read_file('postgresql.conf')",
            "CREATE EXTENSION file_fdw",
        ):
            with pytest.raises(psycopg.Error):
                session.execute(forbidden)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        cloud.connect(primary["Endpoint"]["Address"], dbname="rdsadmin")


@pytest.mark.parametrize(
    "extension",
    [
        "amcheck",
        "btree_gin",
        "btree_gist",
        "citext",
        "pg_stat_statements",
        "pg_trgm",
        "pgcrypto",
        "pgstattuple",
        "postgres_fdw",
        "uuid-ossp",
    ],
)
def test_the_master_creates_the_extensions_rds_allows(
    cloud: Any, primary: dict[str, Any], extension: str
) -> None:
    # UG PostgreSQL.Concepts.General.FeatureSupport.Extensions: rds.extensions lists them.
    with cloud.connect(primary["Endpoint"]["Address"]) as session:
        session.execute(f'CREATE EXTENSION IF NOT EXISTS "{extension}"')
        (allowed,) = session.execute("SHOW rds.extensions").fetchone()
    assert extension in allowed.split(",")


def test_extensions_are_of_use_to_the_master(cloud: Any, primary: dict[str, Any]) -> None:
    # RDS grants rds_superuser what the extensions' own scripts keep for superusers.
    with cloud.connect(primary["Endpoint"]["Address"]) as session:
        session.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        session.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        session.execute("CREATE TABLE IF NOT EXISTS indexed (a int PRIMARY KEY)")
        session.execute("SELECT bt_index_check('indexed_pkey', true)")
        session.execute("SELECT pg_stat_statements_reset()")
        assert session.execute("SELECT count(*) > 0 FROM pg_stat_statements").fetchone() == (True,)


def test_storage_only_grows_and_by_a_tenth(cloud: Any, primary: dict[str, Any]) -> None:
    # UG USER_PIOPS.ModifyingExisting: never smaller, at least 10 % more.
    rds = cloud.client("rds")
    for size in (19, 21):
        code, _ = refusal(
            rds.modify_db_instance,
            DBInstanceIdentifier=primary["DBInstanceIdentifier"],
            AllocatedStorage=size,
        )
        assert code == "InvalidParameterCombination"


def test_changes_wait_unless_applied_immediately(cloud: Any, name: str) -> None:
    # API ModifyDBInstance: PendingModifiedValues, ApplyImmediately applies all of them.
    rds = cloud.client("rds")
    cloud.create(name)
    found = rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.t3.small")
    assert found["DBInstance"]["PendingModifiedValues"] == {"DBInstanceClass": "db.t3.small"}
    assert cloud.describe(name)["DBInstanceClass"] == "db.t3.micro"
    rds.modify_db_instance(DBInstanceIdentifier=name, AllocatedStorage=40, ApplyImmediately=True)
    after = cloud.await_status(name)
    assert (after["DBInstanceClass"], after["AllocatedStorage"]) == ("db.t3.small", 40)
    assert after["PendingModifiedValues"] == {}
    cloud.connect(after["Endpoint"]["Address"]).close()


def test_master_password_and_protection(cloud: Any, name: str) -> None:
    # API ModifyDBInstance: the password changes without an outage; DeleteDBInstance: protection.
    rds = cloud.client("rds")
    host = cloud.create(name, DeletionProtection=True)["Endpoint"]["Address"]
    with cloud.connect(host) as old:
        rds.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword="Another-Horse-2")
        cloud.await_status(name)
        assert old.execute("SELECT 1").fetchone() == (1,)
    cloud.connect(host, password="Another-Horse-2").close()  # noqa: S106  # just set
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        cloud.connect(host)
    code, message = refusal(
        rds.delete_db_instance, DBInstanceIdentifier=name, SkipFinalSnapshot=True
    )
    assert (code, "protected" in message) == ("InvalidParameterCombination", True)
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    cloud.await_status(name, "gone")
    with pytest.raises(psycopg.OperationalError):
        cloud.connect(host, password="Another-Horse-2")  # noqa: S106  # gone


def test_stop_and_start_keep_the_data(cloud: Any, name: str) -> None:
    # UG USER_StopInstance: data stays; a stopped instance takes no connections.
    rds = cloud.client("rds")
    host = cloud.create(name)["Endpoint"]["Address"]
    with cloud.connect(host) as session:
        session.execute("CREATE TABLE kept AS SELECT 7 AS value")
    rds.stop_db_instance(DBInstanceIdentifier=name)
    cloud.await_status(name, "stopped")
    with pytest.raises(psycopg.OperationalError):
        cloud.connect(host)
    assert refusal(rds.reboot_db_instance, DBInstanceIdentifier=name)[0] == "InvalidDBInstanceState"
    rds.start_db_instance(DBInstanceIdentifier=name)
    cloud.await_status(name)
    with cloud.connect(host) as session:
        assert session.execute("SELECT value FROM kept").fetchone() == (7,)


def test_two_creations_at_once_make_one_cluster(cloud: Any, name: str) -> None:
    # API CreateDBInstance: the second of two gets DBInstanceAlreadyExists at once.
    rds = cloud.client("rds")
    rds.create_db_instance(**conftest.instance(name))
    assert refusal(rds.create_db_instance, **conftest.instance(name))[0] == (
        "DBInstanceAlreadyExists"
    )
    found = cloud.await_status(name)
    assert found["DbiResourceId"] in cloud.control("GET", "health")["clusters"]
