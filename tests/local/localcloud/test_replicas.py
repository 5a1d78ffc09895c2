"""Conformance: replicas stream, are promoted by PostgreSQL, and follow AWS's rules."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

WEST = "us-west-2"


@pytest.fixture(scope="module")
def family(cloud: Any) -> Any:
    """A primary with a replica beside it and one in another region."""
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    source = cloud.create(
        "family",
        BackupRetentionPeriod=7,
        StorageEncrypted=True,
        KmsKeyId=key,
        DeletionProtection=True,
        CopyTagsToSnapshot=True,
        Tags=[{"Key": "role", "Value": "primary"}],
        MultiAZ=True,
    )
    far = cloud.client("kms", WEST).create_key()["KeyMetadata"]["Arn"]
    near = cloud.client("rds")
    near.create_db_instance_read_replica(
        DBInstanceIdentifier="family-near", SourceDBInstanceIdentifier="family"
    )
    cloud.client("rds", WEST).create_db_instance_read_replica(
        DBInstanceIdentifier="family-far",
        SourceDBInstanceIdentifier=source["DBInstanceArn"],
        KmsKeyId=far,
    )
    cloud.await_status("family-near")
    cloud.await_status("family-far", region=WEST)
    return source


def test_replicas_receive_what_the_source_commits(cloud: Any, family: dict[str, Any]) -> None:
    # UG USER_PostgreSQL.Replication.ReadReplicas: streaming, read-only.
    with cloud.connect(family["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE streamed AS SELECT 42 AS value")
    for name, region in (("family-near", "us-east-1"), ("family-far", WEST)):
        host = cloud.describe(name, region)["Endpoint"]["Address"]
        cloud.await_row(host, "SELECT value, pg_is_in_recovery() FROM streamed", (42, True))
        with cloud.connect(host) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("CREATE TABLE refused (a int)")


def test_a_replica_takes_little_from_its_source(cloud: Any, family: dict[str, Any]) -> None:
    # API CreateDBInstanceReadReplica: the defaults of each parameter.
    replica = cloud.describe("family-near")
    assert replica["BackupRetentionPeriod"] == 0
    assert replica["TagList"] == []
    assert not replica["DeletionProtection"]
    assert not replica["MultiAZ"]
    assert not replica["CopyTagsToSnapshot"]
    assert replica["KmsKeyId"] == family["KmsKeyId"]
    assert replica["StatusInfos"] == [
        {"StatusType": "read replication", "Normal": True, "Status": "replicating"}
    ]
    assert replica["ReadReplicaSourceDBInstanceIdentifier"] == "family"
    far = cloud.describe("family-far", WEST)
    assert far["ReadReplicaSourceDBInstanceIdentifier"] == family["DBInstanceArn"]
    assert far["AvailabilityZone"].startswith(WEST)
    assert cloud.describe("family")["ReadReplicaDBInstanceIdentifiers"] == [
        far["DBInstanceArn"],
        "family-near",
    ]


def test_what_a_source_or_a_replica_may_not(cloud: Any, family: dict[str, Any]) -> None:
    rds, west = cloud.client("rds"), cloud.client("rds", WEST)
    # API CreateDBInstanceReadReplica: across regions an encrypted source needs a key there.
    code, _ = refusal(
        west.create_db_instance_read_replica,
        DBInstanceIdentifier="x",
        SourceDBInstanceIdentifier=family["DBInstanceArn"],
    )
    assert code == "InvalidParameterCombination"
    # UG USER_StopInstance: no instance that has or is a replica.
    for name in ("family", "family-near"):
        code, _ = refusal(rds.stop_db_instance, DBInstanceIdentifier=name)
        assert code == "InvalidDBInstanceState"
    # UG USER_ReadRepl: backups stay on while there are replicas.
    code, _ = refusal(
        rds.modify_db_instance, DBInstanceIdentifier="family", BackupRetentionPeriod=0
    )
    assert code == "InvalidParameterCombination"
    # API ModifyDBInstance: the password of a replica is its source's.
    code, _ = refusal(
        rds.modify_db_instance,
        DBInstanceIdentifier="family-near",
        MasterUserPassword="Another-Horse-2",
    )
    assert code == "InvalidParameterCombination"


def test_a_source_needs_backups(cloud: Any, name: str) -> None:
    # API CreateDBInstanceReadReplica: the source has BackupRetentionPeriod above 0.
    cloud.create(name, BackupRetentionPeriod=0)
    code, _ = refusal(
        cloud.client("rds").create_db_instance_read_replica,
        DBInstanceIdentifier=f"{name}-r",
        SourceDBInstanceIdentifier=name,
    )
    assert code == "InvalidDBInstanceState"


def test_promotion_makes_a_primary(cloud: Any, family: dict[str, Any]) -> None:
    # UG USER_ReadRepl.Promote: writable, no longer listed, second promotion refused.
    west = cloud.client("rds", WEST)
    before = cloud.describe("family-far", WEST)["Endpoint"]["Address"]
    west.promote_read_replica(DBInstanceIdentifier="family-far", BackupRetentionPeriod=5)
    found = cloud.await_status("family-far", region=WEST)
    assert "modifying" in found["seen"] or "backing-up" in found["seen"] or found["seen"]
    assert "ReadReplicaSourceDBInstanceIdentifier" not in found
    assert "StatusInfos" not in found
    assert found["BackupRetentionPeriod"] == 5
    assert found["Endpoint"]["Address"] == before
    with cloud.connect(before) as session:
        session.execute("CREATE TABLE own (a int)")
        row = session.execute("SELECT timeline_id FROM pg_control_checkpoint()").fetchone()
        assert row == (2,)
    code, _ = refusal(west.promote_read_replica, DBInstanceIdentifier="family-far")
    assert code == "InvalidDBInstanceState"
    assert cloud.describe("family")["ReadReplicaDBInstanceIdentifiers"] == ["family-near"]
    with cloud.connect(family["Endpoint"]["Address"]) as session:
        slots = session.execute("SELECT count(*) FROM pg_replication_slots").fetchone()
        assert slots == (1,)


def test_deleting_a_primary_promotes_replicas_beside_it(cloud: Any, name: str) -> None:
    # UG USER_DeleteInstance: in-region replicas are promoted, others are terminated.
    rds, west = cloud.client("rds"), cloud.client("rds", WEST)
    arn = cloud.create(name)["DBInstanceArn"]
    near, far = f"{name}-n", f"{name}-f"
    rds.create_db_instance_read_replica(DBInstanceIdentifier=near, SourceDBInstanceIdentifier=name)
    west.create_db_instance_read_replica(DBInstanceIdentifier=far, SourceDBInstanceIdentifier=arn)
    cloud.await_status(near)
    cloud.await_status(far, region=WEST)
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    cloud.await_status(name, "gone")
    promoted = cloud.await_status(near)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in promoted
    with cloud.connect(promoted["Endpoint"]["Address"]) as session:
        session.execute("CREATE TABLE own (a int)")
    left = cloud.describe(far, WEST)
    assert left["StatusInfos"][0]["Status"] == "terminated"
    with cloud.connect(left["Endpoint"]["Address"]) as session:
        assert session.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    west.delete_db_instance(DBInstanceIdentifier=far, SkipFinalSnapshot=True)
    cloud.await_status(far, "gone", region=WEST)


def test_every_cluster_has_an_identifier_of_its_own(cloud: Any, primary: Any, family: Any) -> None:
    # A standby accepts the WAL of any cluster that bears its identifier.
    found = set()
    for item in (primary, family):
        with cloud.connect(item["Endpoint"]["Address"]) as session:
            found.add(
                session.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
            )
    assert len(found) == 2
