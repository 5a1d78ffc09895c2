"""What is on offer: engine versions, classes, certificates, regions, maintenance."""

from __future__ import annotations

import datetime as dt
from typing import Any

from localcloud import instance_classes
from localcloud.rds import creation, group_values, networks
from localcloud.rds.operations import Answer, Call, operation

_REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-central-1", "eu-west-1")
_AUTHORITIES = ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")


@operation("DescribeDBEngineVersions")
def describe_db_engine_versions(call: Call) -> Answer:
    """The one version there is: the one of the PostgreSQL that serves the instances."""
    version = call.home.runtime.template.binaries.version
    asked = call.get("EngineVersion", version)
    fits = (
        call.get("Engine", "postgres") == "postgres"
        and asked in {version, version.split(".", maxsplit=1)[0]}
        and call.get("DBParameterGroupFamily", group_values.family(call.home))
        == group_values.family(call.home)
    )
    shown = {
        "Engine": "postgres",
        "EngineVersion": version,
        "DBParameterGroupFamily": group_values.family(call.home),
        "DBEngineDescription": "PostgreSQL",
        "DBEngineVersionDescription": f"PostgreSQL {version}",
        "DBEngineMediaType": "AWS Provided",
        "MajorEngineVersion": version.split(".", maxsplit=1)[0],
        "ValidUpgradeTarget": [],
        "ExportableLogTypes": ["iam-db-auth-error", "postgresql", "upgrade"],
        "SupportsLogExportsToCloudwatchLogs": True,
        "SupportsReadReplica": True,
        "SupportedFeatureNames": [],
        "SupportedEngineModes": ["provisioned"],
        "Status": "available",
        "SupportsParallelQuery": False,
        "SupportsGlobalDatabases": False,
        "SupportsCertificateRotationWithoutRestart": True,
        "SupportedCACertificateIdentifiers": list(_AUTHORITIES),
    }
    return {"DBEngineVersions": [shown] if fits else []}


@operation("DescribeOrderableDBInstanceOptions")
def describe_orderable(call: Call) -> Answer:
    """The classes that can be ordered, with the zones they are in."""
    version = call.home.runtime.template.binaries.version
    if call.get("Engine", "postgres") != "postgres":
        return {"OrderableDBInstanceOptions": []}
    if call.get("EngineVersion", version) not in {version, version.split(".", maxsplit=1)[0]}:
        return {"OrderableDBInstanceOptions": []}
    zones = [{"Name": zone} for zone in networks.zones(call.home)]
    wanted = call.get("DBInstanceClass")
    rows = [
        _orderable(version, name, zones)
        for name in instance_classes.known()
        if wanted in (None, name)
    ]
    return {"OrderableDBInstanceOptions": rows}


def _orderable(version: str, name: str, zones: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "Engine": "postgres",
        "EngineVersion": version,
        "DBInstanceClass": name,
        "LicenseModel": "postgresql-license",
        "AvailabilityZones": zones,
        "MultiAZCapable": True,
        "ReadReplicaCapable": True,
        "Vpc": True,
        "SupportsStorageEncryption": True,
        "StorageType": "gp3",
        "SupportsIops": True,
        "SupportsStorageThroughput": True,
        "SupportsEnhancedMonitoring": True,
        "SupportsIAMDatabaseAuthentication": True,
        "SupportsPerformanceInsights": True,
        "SupportsStorageAutoscaling": True,
        "MinStorageSize": 20,
        "MaxStorageSize": 65536,
        "SupportedEngineModes": ["provisioned"],
        "SupportedNetworkTypes": ["IPV4"],
    }


@operation("DescribeSourceRegions")
def describe_source_regions(call: Call) -> Answer:
    """The regions a replica or a copy of backups can come from."""
    wanted = call.get("RegionName")
    return {
        "SourceRegions": [
            {
                "RegionName": name,
                "Endpoint": f"https://rds.{name}.amazonaws.com",
                "Status": "available",
                "SupportsDBInstanceAutomatedBackupsReplication": True,
            }
            for name in _REGIONS
            if name != call.home.region_name and wanted in (None, name)
        ]
    }


@operation("DescribeCertificates")
def describe_certificates(call: Call) -> Answer:
    """The authorities by AWS's names; all of them stand for the local one."""
    authority = call.home.runtime.authority
    wanted = call.get("CertificateIdentifier")
    rows = [
        {
            "CertificateIdentifier": name,
            "CertificateType": "CA",
            "ValidFrom": authority.valid_till - dt.timedelta(days=3650),
            "ValidTill": authority.valid_till,
            "CertificateArn": f"arn:{call.home.partition}:rds:{call.home.region_name}::cert:{name}",
            "CustomerOverride": False,
        }
        for name in _AUTHORITIES
        if wanted in (None, name)
    ]
    return {"Certificates": rows, "DefaultCertificateForNewLaunches": creation.DEFAULT_CA}


@operation("DescribePendingMaintenanceActions")
def describe_pending_maintenance_actions(call: Call) -> Answer:
    """No maintenance is ever pending here."""
    if call.has("ResourceIdentifier"):
        call.home.instance(call.get("ResourceIdentifier"))
    return {"PendingMaintenanceActions": []}
