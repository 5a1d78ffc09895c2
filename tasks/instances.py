"""RDS: instances. Creating, changing and deleting them, and waiting until they are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Failed
from haven.plan import Change
from haven.stack.instance import Instance
from haven.stack.network import SubnetGroup
from haven.stack.resource import Found, Resource
from haven.waiting import Wait, wait_for
from tasks.instance_waits import (
    CREATING,
    SERVING,
    after_backup,
    describe,
    wait_available,
    wait_made,
    wait_status,
)
from tasks.kinds import changes, looks
from tasks.secrets import passwords
from tasks.site import Observation, Site, as_map, only
from tasks.subnet_groups import find_subnet_group

MISSING = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
EXISTS = ("DBInstanceAlreadyExists",)


@looks
def observe_instances(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read every instance of a region in as few requests as it has pages.

    An instance's description holds its subnet group whole, so that is read here too.
    """
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_instances").paginate()
    by_name = {item["DBInstanceIdentifier"]: item for page in pages for item in page["DBInstances"]}
    groups = {
        item["DBSubnetGroup"]["DBSubnetGroupName"]: item["DBSubnetGroup"]
        for item in by_name.values()
        if item.get("DBSubnetGroup")
    }
    found: dict[str, Found[Resource]] = {}
    for group in only(SubnetGroup, wanted):
        found |= find_subnet_group(site, group, groups)
    for instance in only(Instance, wanted):
        if instance.name in by_name:
            found[instance.address] = read_instance(instance, by_name[instance.name])
    return found


def read_instance(instance: Instance, item: dict[str, Any]) -> Found[Resource]:
    """Turn an instance's description into what is compared and what others may ask."""
    group = (item.get("DBParameterGroups") or [{}])[0]
    source = item.get("ReadReplicaSourceDBInstanceIdentifier", "")
    seen = Instance(
        name=instance.name,
        region=instance.region,
        subnet_group=item["DBSubnetGroup"]["DBSubnetGroupName"],
        source=_source_arn(item["DBInstanceArn"], source),
        engine_version=item["EngineVersion"],
        instance_class=item["DBInstanceClass"],
        database=item.get("DBName", ""),
        master_username=item["MasterUsername"],
        port=item.get("Endpoint", {}).get("Port", instance.port),
        zone=item.get("AvailabilityZone", ""),
        multi_az=item["MultiAZ"],
        storage_type=item["StorageType"],
        allocated_gib=item["AllocatedStorage"],
        max_allocated_gib=item.get("MaxAllocatedStorage", 0),
        iops=item.get("Iops", 0),
        key=item.get("KmsKeyId", ""),
        security_groups=tuple(entry["VpcSecurityGroupId"] for entry in item["VpcSecurityGroups"]),
        parameter_group=group.get("DBParameterGroupName", ""),
        parameters_applied=group.get("ParameterApplyStatus") in {"in-sync", "applying"},
        backup_retention_days=item["BackupRetentionPeriod"],
        backup_window=item.get("PreferredBackupWindow", ""),
        maintenance_window=item.get("PreferredMaintenanceWindow", ""),
        copy_tags_to_snapshots=item.get("CopyTagsToSnapshot", False),
        deletion_protection=item["DeletionProtection"],
        auto_minor_upgrade=item["AutoMinorVersionUpgrade"],
        monitoring_interval=item.get("MonitoringInterval", 0),
        monitoring_role=item.get("MonitoringRoleArn", ""),
        performance_insights_days=item.get("PerformanceInsightsRetentionPeriod", 0),
        log_exports=tuple(item.get("EnabledCloudwatchLogsExports", ())),
        ca_certificate=item.get("CACertificateIdentifier", ""),
        public=item["PubliclyAccessible"],
        status=item["DBInstanceStatus"],
    )
    return Found(seen, item["DBInstanceArn"], outputs_of(item), as_map(item.get("TagList")))


def outputs_of(item: dict[str, Any]) -> dict[str, str]:
    """Return what other resources and reports ask of an instance."""
    outputs = {
        "arn": item["DBInstanceArn"],
        "name": item["DBInstanceIdentifier"],
        "resource_id": item["DbiResourceId"],
        "zone": item.get("AvailabilityZone", ""),
        "status": item["DBInstanceStatus"],
    }
    endpoint = item.get("Endpoint")
    if endpoint:
        outputs |= {"host": endpoint["Address"], "port": str(endpoint["Port"])}
    return outputs


def _source_arn(arn: str, source: str) -> str:
    """RDS names a source by ARN across regions and by identifier within one."""
    if not source or source.startswith("arn:"):
        return source
    return f"{arn.rsplit(':', 1)[0]}:{source}"


@changes
def apply_instance(
    site: Site, instance: Instance, found: Found[Instance] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the instance or modify what differs, and wait until it is available and settled."""
    rds = site.client("rds", instance)
    if not found:
        try:
            _create(site, rds, instance)
        except ClientError as error:
            if not is_code(error, *EXISTS):
                raise
        return read_instance(instance, wait_status(site, instance.region, instance.name, SERVING))
    wait_available(site, instance)
    attributes = {change.attribute for change in changed}
    arguments = _modifications(instance, found.resource, attributes)
    if arguments:
        rds.modify_db_instance(
            DBInstanceIdentifier=instance.name, ApplyImmediately=True, **arguments
        )
        wait_available(site, instance, settled=_nothing_pending)
    if attributes & {"parameters_applied", "parameter_group"}:
        rds.reboot_db_instance(DBInstanceIdentifier=instance.name)
        wait_available(site, instance, settled=_parameters_in_sync)
    return read_instance(instance, wait_available(site, instance))


def _create(site: Site, rds: Any, instance: Instance) -> None:
    if instance.is_replica:
        arguments = {**_replica_arguments(instance), **_common_arguments(site, instance)}
        source = instance.source.split(":")
        after_backup(
            site,
            source[3],
            source[-1],
            lambda: rds.create_db_instance_read_replica(
                SourceDBInstanceIdentifier=_source(instance), **arguments
            ),
        )
        return
    password = dict(passwords(site, [instance.master_secret])).get(instance.master_secret)
    if not password:
        raise Failed(
            f"The secret {instance.master_secret} holds no password for {instance.address}.",
            left="The instance was not made.",
            cure="Delete the secret, and provision makes a whole one.",
        )
    create_primary(site, rds, instance, password)


def create_primary(site: Site, rds: Any, instance: Instance, password: str) -> None:
    """Ask for an instance that is no replica, with this password of its master."""
    rds.create_db_instance(
        **_primary_arguments(instance, password), **_common_arguments(site, instance)
    )


def _source(instance: Instance) -> str:
    """Name the source by ARN from another region, by identifier within one."""
    parts = instance.source.split(":")
    return instance.source if parts[3] != instance.region else parts[-1]


def _primary_arguments(instance: Instance, password: str) -> dict[str, Any]:
    return {
        "Engine": "postgres",
        "EngineVersion": instance.engine_version,
        "MasterUsername": instance.master_username,
        "MasterUserPassword": password,
        "DBName": instance.database,
        "AllocatedStorage": instance.allocated_gib,
        "StorageEncrypted": True,
        "KmsKeyId": instance.key,
        "BackupRetentionPeriod": instance.backup_retention_days,
        "PreferredBackupWindow": instance.backup_window,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
        "PreferredMaintenanceWindow": instance.maintenance_window,
        "DBSubnetGroupName": instance.subnet_group,
    }


def _replica_arguments(instance: Instance) -> dict[str, Any]:
    """A replica in another region needs that region's key, network and source region."""
    arguments: dict[str, Any] = {}
    if instance.zone:
        arguments["AvailabilityZone"] = instance.zone
    source_region = instance.source.split(":")[3]
    if source_region != instance.region:
        arguments |= {
            "KmsKeyId": instance.key,
            "SourceRegion": source_region,
            "DBSubnetGroupName": instance.subnet_group,
        }
    return arguments


def _common_arguments(site: Site, instance: Instance) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "DBInstanceIdentifier": instance.name,
        "DBInstanceClass": instance.instance_class,
        "Port": instance.port,
        "MultiAZ": instance.multi_az,
        "StorageType": instance.storage_type,
        "MaxAllocatedStorage": instance.max_allocated_gib,
        "VpcSecurityGroupIds": list(instance.security_groups),
        "DBParameterGroupName": instance.parameter_group,
        "PubliclyAccessible": instance.public,
        "CopyTagsToSnapshot": instance.copy_tags_to_snapshots,
        "DeletionProtection": instance.deletion_protection,
        "AutoMinorVersionUpgrade": instance.auto_minor_upgrade,
        **_monitoring(instance),
        "EnablePerformanceInsights": bool(instance.performance_insights_days),
        "EnableCloudwatchLogsExports": list(instance.log_exports),
        "CACertificateIdentifier": instance.ca_certificate,
        "Tags": site.tag_list(instance),
    }
    if instance.performance_insights_days:
        arguments["PerformanceInsightsRetentionPeriod"] = instance.performance_insights_days
    if instance.iops:
        arguments["Iops"] = instance.iops
    return arguments


def _monitoring(instance: Instance) -> dict[str, Any]:
    """RDS takes a role exactly when there is an interval."""
    role = {"MonitoringRoleArn": instance.monitoring_role} if instance.monitoring_interval else {}
    return {"MonitoringInterval": instance.monitoring_interval, **role}


# Which arguments of ModifyDBInstance bring an attribute to its wanted value.
MODIFY: Mapping[str, Callable[[Instance], dict[str, Any]]] = {
    "engine_version": lambda item: {"EngineVersion": item.engine_version},
    "instance_class": lambda item: {"DBInstanceClass": item.instance_class},
    "port": lambda item: {"DBPortNumber": item.port},
    "multi_az": lambda item: {"MultiAZ": item.multi_az},
    "storage_type": lambda item: {"StorageType": item.storage_type},
    "allocated_gib": lambda item: {"AllocatedStorage": item.allocated_gib},
    "max_allocated_gib": lambda item: {"MaxAllocatedStorage": item.max_allocated_gib},
    "iops": lambda item: {"Iops": item.iops, "AllocatedStorage": item.allocated_gib},
    "security_groups": lambda item: {"VpcSecurityGroupIds": list(item.security_groups)},
    "parameter_group": lambda item: {"DBParameterGroupName": item.parameter_group},
    "backup_retention_days": lambda item: {"BackupRetentionPeriod": item.backup_retention_days},
    "backup_window": lambda item: {"PreferredBackupWindow": item.backup_window},
    "maintenance_window": lambda item: {"PreferredMaintenanceWindow": item.maintenance_window},
    "copy_tags_to_snapshots": lambda item: {"CopyTagsToSnapshot": item.copy_tags_to_snapshots},
    "deletion_protection": lambda item: {"DeletionProtection": item.deletion_protection},
    "auto_minor_upgrade": lambda item: {"AutoMinorVersionUpgrade": item.auto_minor_upgrade},
    "monitoring_interval": _monitoring,
    "monitoring_role": _monitoring,
    "performance_insights_days": lambda item: {
        "EnablePerformanceInsights": bool(item.performance_insights_days),
        "PerformanceInsightsRetentionPeriod": item.performance_insights_days,
    },
    "ca_certificate": lambda item: {"CACertificateIdentifier": item.ca_certificate},
    "public": lambda item: {"PubliclyAccessible": item.public},
}


def _modifications(instance: Instance, found: Instance, attributes: set[str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if "log_exports" in attributes:
        want, have = set(instance.log_exports), set(found.log_exports)
        arguments["CloudwatchLogsExportConfiguration"] = {
            "EnableLogTypes": sorted(want - have),
            "DisableLogTypes": sorted(have - want),
        }
    for attribute in sorted(attributes & MODIFY.keys()):
        arguments |= MODIFY[attribute](instance)
    return arguments


def _nothing_pending(item: dict[str, Any]) -> bool:
    return not item.get("PendingModifiedValues")


def _parameters_in_sync(item: dict[str, Any]) -> bool:
    groups = item.get("DBParameterGroups") or [{}]
    return all(group.get("ParameterApplyStatus") == "in-sync" for group in groups)


@changes
def delete_instance(site: Site, found: Found[Instance]) -> None:
    """Delete an instance without a final snapshot and wait until it is gone.

    One that is being made cannot be deleted before it is.
    """
    instance = found.resource
    rds, settings = site.client("rds", instance), site.cloud.settings
    if instance.status == CREATING:
        wait_made(site, instance)
    try:
        rds.delete_db_instance(
            DBInstanceIdentifier=instance.name,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=True,
        )
    except ClientError as error:
        if is_code(error, *MISSING):
            return
        if not is_code(error, "InvalidDBInstanceState") or not _is_deleting(rds, instance):
            raise
    wait_for(
        Wait(
            what=f"{instance.address} to be gone",
            probe=lambda: _exists(rds, instance.name),
            reached=lambda exists: not exists,
            fatal=lambda _: None,
            interval=settings.interval,
            deadline=settings.deadline,
        )
    )


def _is_deleting(rds: Any, instance: Instance) -> bool:
    return bool(describe(rds, instance.name)["DBInstanceStatus"] == "deleting")


def _exists(rds: Any, name: str) -> bool:
    try:
        describe(rds, name)
    except ClientError as error:
        if is_code(error, *MISSING):
            return False
        raise
    return True
