"""DescribeDBInstances: an instance as AWS shows it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from localcloud.rds import faults, group_values, subnet_groups
from localcloud.rds.instance import Instance, Source
from localcloud.rds.operations import Answer, Call, filters, operation

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

# The hosted zones of RDS endpoints (AWS general reference); a stand-in for other regions.
_HOSTED_ZONES = {"us-east-1": "Z2R2ITUGPM61AM", "us-west-2": "Z1PVIF0B656C1W"}
_PLAIN = (
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "AvailabilityZone",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DBName",
    "DatabaseInsightsMode",
    "DeletionProtection",
    "EnabledCloudwatchLogsExports",
    "EngineLifecycleSupport",
    "EngineVersion",
    "IAMDatabaseAuthenticationEnabled",
    "Iops",
    "KmsKeyId",
    "MasterUsername",
    "MaxAllocatedStorage",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "MultiAZ",
    "NetworkType",
    "PerformanceInsightsEnabled",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PubliclyAccessible",
    "SecondaryAvailabilityZone",
    "StorageEncrypted",
    "StorageThroughput",
    "StorageType",
)


@operation("DescribeDBInstances")
def describe_db_instances(call: Call) -> Answer:
    """The instances of a region, or one of them."""
    wanted = filters(
        call, ("db-cluster-id", "db-instance-id", "dbi-resource-id", "domain", "engine")
    )
    if call.has("DBInstanceIdentifier"):
        found = [call.home.instance(call.get("DBInstanceIdentifier"))]
    else:
        found = [call.home.instances[name] for name in sorted(call.home.instances)]
    names = {name.rsplit(":", 1)[-1] for name in wanted.get("db-instance-id", [])}
    chosen = [
        item
        for item in found
        if (not names or item.identifier in names)
        and item.resource_id in wanted.get("dbi-resource-id", [item.resource_id])
        and "postgres" in wanted.get("engine", ["postgres"])
        and "db-cluster-id" not in wanted
    ]
    return {"DBInstances": [instance(call.home, item) for item in chosen]}


def instance(home: Home, item: Instance) -> dict[str, Any]:
    """Return one instance as the API shows it."""
    shown: dict[str, Any] = {
        name: item.settings[name] for name in _PLAIN if item.settings.get(name) is not None
    }
    shown.update(_identity(home, item))
    shown.update(_network(home, item))
    shown.update(_replication(home, item))
    if item.settings["MonitoringInterval"]:
        shown["EnhancedMonitoringResourceArn"] = (
            f"arn:{home.partition}:logs:{home.region_name}:{home.account_id}:"
            f"log-group:RDSOSMetrics:log-stream:{item.resource_id}"
        )
    record = home.automated_backups.get(item.resource_id)
    if record is not None and record.store.latest is not None:
        shown["LatestRestorableTime"] = record.store.latest
    return shown


def _identity(home: Home, item: Instance) -> dict[str, Any]:
    return {
        "ActivityStreamStatus": "stopped",
        "AssociatedRoles": [],
        "BackupTarget": "region",
        "CertificateDetails": {
            "CAIdentifier": item.settings["CACertificateIdentifier"],
            "ValidTill": item.created + dt.timedelta(days=365),
        },
        "CustomerOwnedIpEnabled": False,
        "DBInstanceArn": item.arn,
        "DBInstanceIdentifier": item.identifier,
        "DBInstanceStatus": item.status,
        "DBParameterGroups": [
            {
                "DBParameterGroupName": item.parameter_group,
                "ParameterApplyStatus": item.parameter_status,
            }
        ],
        "DBSecurityGroups": [],
        "DbInstancePort": 0,
        "DbiResourceId": item.resource_id,
        "DedicatedLogVolume": False,
        "DomainMemberships": [],
        "Engine": "postgres",
        "InstanceCreateTime": item.created if item.endpoint_known else None,
        "IsStorageConfigUpgradeAvailable": False,
        "LicenseModel": "postgresql-license",
        "OptionGroupMemberships": [
            {
                "OptionGroupName": f"default:{group_values.family(home).replace('s1', 's-1')}",
                "Status": "in-sync",
            }
        ],
        "PendingModifiedValues": dict(item.pending),
        "TagList": item.tags,
    }


def _network(home: Home, item: Instance) -> dict[str, Any]:
    group = home.subnet_groups[item.settings["DBSubnetGroupName"]]
    shown: dict[str, Any] = {
        "DBSubnetGroup": subnet_groups.shown(group),
        "VpcSecurityGroups": [
            {"VpcSecurityGroupId": name, "Status": "active"}
            for name in item.settings["VpcSecurityGroupIds"]
        ],
    }
    if item.endpoint_known and item.cluster is not None:
        shown["Endpoint"] = {
            "Address": item.cluster.address.host,
            "Port": item.cluster.address.port,
            "HostedZoneId": _HOSTED_ZONES.get(home.region_name, "Z0LOCALCLOUD0000"),
        }
    return shown


def _name(home: Home, region: str, identifier: str, arn: str) -> str:
    return identifier if region == home.region_name else arn


def _replication(home: Home, item: Instance) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ReadReplicaDBInstanceIdentifiers": sorted(
            _name(home, replica.region, replica.identifier, replica.arn)
            for replica in home.replicas_of(item)
        ),
        "DBInstanceAutomatedBackupsReplications": [
            {"DBInstanceAutomatedBackupsArn": copy.arn}
            for other in home.everywhere()
            for copy in other.replicated_backups.values()
            if copy.resource_id == item.resource_id
        ],
    }
    if item.source is not None:
        shown["ReadReplicaSourceDBInstanceIdentifier"] = _source_name(home, item.source)
        if item.endpoint_known:
            shown["StatusInfos"] = [
                {
                    "StatusType": "read replication",
                    "Normal": item.replication_state == "replicating",
                    "Status": item.replication_state,
                }
            ]
    return shown


def _source_name(home: Home, source: Source) -> str:
    return _name(home, source.region, source.identifier, source.arn)


def found(home: Home, identifier: str) -> Instance:
    """Return an instance that is not on its way out."""
    item = home.instance(identifier)
    if item.gone:
        raise faults.no_instance(identifier)
    return item
