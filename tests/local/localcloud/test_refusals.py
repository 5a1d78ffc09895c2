"""Conformance: what RDS refuses, one row per rule, with the code AWS answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.localcloud import conftest
from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

VALUE, COMBINATION = "InvalidParameterValue", "InvalidParameterCombination"
# The rule of AWS, its source, what is changed in a good CreateDBInstance, the code.
CREATE = [
    ("a name ends without a hyphen", "API CreateDBInstance", {"DBInstanceIdentifier": "a-"}, VALUE),
    ("a class has to exist", "API CreateDBInstance", {"DBInstanceClass": "db.t3.tiny"}, VALUE),
    ("a version has to be offered", "API CreateDBInstance", {"EngineVersion": "9.6"}, COMBINATION),
    ("a password has 8 characters", "UG CHAP_Limits", {"MasterUserPassword": "short"}, VALUE),
    ("a password has no @", "UG CHAP_Limits", {"MasterUserPassword": "with@inside1"}, VALUE),
    ("rdsadmin is reserved", "UG CHAP_Limits", {"MasterUsername": "rdsadmin"}, VALUE),
    ("backups are kept 35 days at most", "API", {"BackupRetentionPeriod": 36}, VALUE),
    ("gp3 has 20 GiB at least", "UG CHAP_Storage", {"AllocatedStorage": 10}, VALUE),
    ("gp3 below 400 GiB takes no Iops", "UG CHAP_Storage", {"Iops": 3000}, COMBINATION),
    ("autoscaling needs a tenth more", "UG", {"MaxAllocatedStorage": 21}, COMBINATION),
    ("a key needs encryption", "API", {"KmsKeyId": "alias/aws/rds"}, COMBINATION),
    (
        "a key has to exist",
        "API CreateDBInstance",
        {"StorageEncrypted": True, "KmsKeyId": "alias/none"},
        "KMSKeyNotAccessibleFault",
    ),
    (
        "Multi-AZ takes no zone",
        "API CreateDBInstance",
        {"MultiAZ": True, "AvailabilityZone": "us-east-1a"},
        COMBINATION,
    ),
    (
        "windows do not overlap",
        "API CreateDBInstance",
        {
            "PreferredBackupWindow": "03:00-04:01",
            "PreferredMaintenanceWindow": "sun:04:00-sun:05:00",
        },
        VALUE,
    ),
    ("a security group has to exist", "API", {"VpcSecurityGroupIds": ["sg-0"]}, VALUE),
    (
        "a subnet group has to exist",
        "API CreateDBInstance",
        {"DBSubnetGroupName": "none"},
        "DBSubnetGroupNotFoundFault",
    ),
    (
        "a parameter group has to exist",
        "API CreateDBInstance",
        {"DBParameterGroupName": "none"},
        "DBParameterGroupNotFound",
    ),
    ("monitoring needs a role", "API", {"MonitoringInterval": 60}, COMBINATION),
    (
        "insights are kept 7, 731 or 31 n days",
        "API CreateDBInstance",
        {"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": 94},
        VALUE,
    ),
    ("only known logs are exported", "API", {"EnableCloudwatchLogsExports": ["x"]}, COMBINATION),
    ("a port is 1150 at least", "API CreateDBInstance", {"Port": 80}, VALUE),
    ("a master is required", "API CreateDBInstance", {"MasterUsername": None}, "MissingParameter"),
]


@pytest.mark.parametrize(
    ("rule", "source", "change", "code"), CREATE, ids=[row[0] for row in CREATE]
)
def test_create_is_refused(
    cloud: Any, name: str, rule: str, source: str, change: dict[str, Any], code: str
) -> None:
    rds = cloud.client("rds")
    given = conftest.instance(change.get("DBInstanceIdentifier", name), **change)
    found, message = refusal(rds.create_db_instance, **given)
    assert found == code, f"{rule} ({source}): {message}"


def test_touching_windows_are_accepted(cloud: Any, name: str) -> None:
    # AWS forbids windows that overlap; these only touch (API CreateDBInstance).
    found = cloud.create(
        name,
        PreferredBackupWindow="03:00-04:00",
        PreferredMaintenanceWindow="Sun:04:00-Sun:05:00",
    )
    assert found["PreferredMaintenanceWindow"] == "sun:04:00-sun:05:00"
    cloud.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


DELETE = [
    ("a final snapshot or none has to be chosen", {}, COMBINATION),
    (
        "not both",
        {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"},
        COMBINATION,
    ),
    (
        "the final snapshot's name is one",
        {"FinalDBSnapshotIdentifier": "two--hyphens"},
        "InvalidParameterValue",
    ),
]


@pytest.mark.parametrize(("rule", "given", "code"), DELETE, ids=[row[0] for row in DELETE])
def test_delete_is_refused(
    cloud: Any, primary: dict[str, Any], rule: str, given: dict[str, Any], code: str
) -> None:
    # API DeleteDBInstance: SkipFinalSnapshot, FinalDBSnapshotIdentifier.
    rds = cloud.client("rds")
    name = primary["DBInstanceIdentifier"]
    found, message = refusal(rds.delete_db_instance, DBInstanceIdentifier=name, **given)
    assert found == code, f"{rule}: {message}"
    assert cloud.describe(name)["DBInstanceStatus"] == "available"


def test_a_name_is_taken_once(cloud: Any, primary: dict[str, Any]) -> None:
    # API CreateDBInstance and CreateDBInstanceReadReplica: DBInstanceAlreadyExists.
    rds = cloud.client("rds")
    name = primary["DBInstanceIdentifier"]
    code, _ = refusal(rds.create_db_instance, **conftest.instance(name.upper()))
    assert code == "DBInstanceAlreadyExists"
    code, _ = refusal(
        rds.create_db_instance_read_replica,
        DBInstanceIdentifier=name,
        SourceDBInstanceIdentifier=name,
    )
    assert code == "DBInstanceAlreadyExists"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("modify_db_snapshot", {"DBSnapshotIdentifier": "s", "EngineVersion": "16"}),
        ("create_db_cluster", {"DBClusterIdentifier": "c", "Engine": "aurora-postgresql"}),
    ],
)
def test_what_is_not_simulated_is_refused_by_name(
    cloud: Any, operation: str, parameters: dict[str, Any]
) -> None:
    rds = cloud.client("rds")
    code, message = refusal(getattr(rds, operation), **parameters)
    assert code == "InvalidAction"
    assert "not simulated" in message


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("iam", "simulate_principal_policy", {"PolicySourceArn": "a" * 20, "ActionNames": ["a:b"]}),
        ("backup", "list_backup_jobs", {}),
        ("cloudwatch", "describe_alarm_history", {}),
        ("ssm", "start_automation_execution", {"DocumentName": "abc"}),
    ],
)
def test_other_services_refuse_by_name_as_well(
    cloud: Any, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    code, message = refusal(getattr(cloud.client(service), operation), **parameters)
    assert code == "InvalidAction"
    assert "not simulated" in message


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("promote_read_replica", {"DBInstanceIdentifier": "none"}, "DBInstanceNotFound"),
        ("promote_read_replica", {"DBInstanceIdentifier": "shared"}, "InvalidDBInstanceState"),
        ("describe_db_proxies", {"DBProxyName": "none"}, "DBProxyNotFoundFault"),
        ("delete_db_proxy", {"DBProxyName": "none"}, "DBProxyNotFoundFault"),
        ("describe_db_parameters", {"DBParameterGroupName": "n"}, "DBParameterGroupNotFound"),
        ("describe_db_subnet_groups", {"DBSubnetGroupName": "n"}, "DBSubnetGroupNotFoundFault"),
        ("describe_db_snapshots", {"DBSnapshotIdentifier": "n"}, "DBSnapshotNotFound"),
        ("describe_event_subscriptions", {"SubscriptionName": "n"}, "SubscriptionNotFound"),
        (
            "list_tags_for_resource",
            {"ResourceName": "arn:aws:rds:us-east-1:123456789012:db:none"},
            "DBInstanceNotFound",
        ),
        ("describe_db_instances", {"Filters": [{"Name": "tag", "Values": ["a"]}]}, VALUE),
    ],
)
def test_what_is_not_there_has_its_own_fault(
    cloud: Any, primary: dict[str, Any], operation: str, parameters: dict[str, Any], code: str
) -> None:
    assert primary["DBInstanceIdentifier"] == "shared"
    found, _ = refusal(getattr(cloud.client("rds"), operation), **parameters)
    assert found == code
