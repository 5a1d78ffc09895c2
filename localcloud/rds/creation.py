"""CreateDBInstance: a new cluster with its master user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud import roles
from localcloud.rds import (
    backups,
    describe,
    events,
    faults,
    group_values,
    keys,
    storage,
    transitions,
    validation,
    windows,
    zones,
)
from localcloud.rds.instance import Instance, new_resource_id
from localcloud.rds.operations import Answer, Call, operation

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

DEFAULT_CA = "rds-ca-rsa2048-g1"
_UNSIMULATED = (
    "ManageMasterUserPassword",
    "Domain",
    "DBClusterIdentifier",
    "CustomIamInstanceProfile",
)


@operation("CreateDBInstance")
def create_db_instance(call: Call) -> Answer:
    """Make an instance; the answer comes at once, the cluster follows."""
    home = call.home
    name = validation.identifier(call.need("DBInstanceIdentifier"))
    if name in home.instances:
        raise faults.Fault("DBInstanceAlreadyExists", "DB instance already exists")
    if call.need("Engine") != "postgres":
        raise faults.not_simulated("CreateDBInstance", "The only engine is postgres.")
    for parameter in _UNSIMULATED:
        if call.get(parameter):
            raise faults.not_simulated("CreateDBInstance", f"{parameter} is not offered.")
    settings = _settings(call)
    group = group_values.find(home, call.get("DBParameterGroupName"))
    secret = validation.password(call.need("MasterUserPassword"))
    instance = Instance(
        region=home.region_name,
        identifier=name,
        arn=home.arn("db", name),
        resource_id=new_resource_id(),
        settings=settings,
        parameter_group=group.name,
        tags=list(call.get("Tags", [])),
    )
    home.instances[name] = instance
    _launch(home, instance, secret)
    return {"DBInstance": describe.instance(home, instance)}


def _settings(call: Call) -> dict[str, Any]:
    validation.instance_class(call.need("DBInstanceClass"))
    group = zones.subnet_group(call.home, call.get("DBSubnetGroupName"))
    backup = str(call.get("PreferredBackupWindow", "06:00-06:30"))
    maintenance = str(call.get("PreferredMaintenanceWindow", "sun:08:00-sun:08:30")).lower()
    windows.check(backup, maintenance)
    offered = call.home.runtime.template.binaries.version
    return {
        "DBInstanceClass": call.get("DBInstanceClass"),
        "EngineVersion": validation.engine_version(offered, call.get("EngineVersion")),
        "MasterUsername": validation.master(call.need("MasterUsername")),
        "DBName": validation.database(call.get("DBName") or None),
        "Port": validation.port(call.get("Port")),
        "BackupRetentionPeriod": validation.retention(call.get("BackupRetentionPeriod", 1)),
        "PreferredBackupWindow": backup,
        "PreferredMaintenanceWindow": maintenance,
        "VpcSecurityGroupIds": zones.groups_of(call, group.vpc),
        **volume(call),
        **encryption(call),
        **zones.placement(call, group, multi_az=bool(call.get("MultiAZ", False))),
        **options(call),
    }


def volume(call: Call) -> dict[str, Any]:
    """Return the attributes of the volume asked for."""
    kind = call.get("StorageType", "io1" if call.has("Iops") else "gp2")
    return _volume(call, kind, int(call.need("AllocatedStorage")))


def volume_like(call: Call, have: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a volume with another one's content: its kind and size unless given."""
    size = int(call.get("AllocatedStorage", have["AllocatedStorage"]))
    return _volume(call, call.get("StorageType", have["StorageType"]), size)


def _volume(call: Call, kind: str, size: int) -> dict[str, Any]:
    ceiling = call.get("MaxAllocatedStorage")
    storage.check_ceiling(size, ceiling)
    asked = storage.Storage(kind, size, call.get("Iops"), call.get("StorageThroughput"))
    return {**storage.provisioned(asked), "MaxAllocatedStorage": ceiling}


def encryption(call: Call) -> dict[str, Any]:
    """Return the attributes of encryption; a key without encryption is a contradiction."""
    if not call.get("StorageEncrypted", False):
        if call.has("KmsKeyId"):
            raise faults.invalid_combination(
                "KmsKeyId can only be specified for encrypted DB instances."
            )
        return {"StorageEncrypted": False, "KmsKeyId": None}
    return {"StorageEncrypted": True, "KmsKeyId": keys.key_arn(call.home, call.get("KmsKeyId"))}


def options(call: Call) -> dict[str, Any]:
    """Return the attributes that primaries and replicas take alike."""
    return {
        "AutoMinorVersionUpgrade": bool(call.get("AutoMinorVersionUpgrade", True)),
        "CACertificateIdentifier": call.get("CACertificateIdentifier", DEFAULT_CA),
        "CopyTagsToSnapshot": bool(call.get("CopyTagsToSnapshot", False)),
        "DatabaseInsightsMode": call.get("DatabaseInsightsMode", "standard"),
        "DeletionProtection": bool(call.get("DeletionProtection", False)),
        "EnabledCloudwatchLogsExports": validation.log_exports(
            call.get("EnableCloudwatchLogsExports", [])
        ),
        "EngineLifecycleSupport": call.get(
            "EngineLifecycleSupport", "open-source-rds-extended-support"
        ),
        "IAMDatabaseAuthenticationEnabled": bool(
            call.get("EnableIAMDatabaseAuthentication", False)
        ),
        "NetworkType": call.get("NetworkType", "IPV4"),
        "PubliclyAccessible": bool(call.get("PubliclyAccessible", False)),
        **validation.monitoring(call),
        **validation.insights(call),
    }


def _launch(home: Home, instance: Instance, secret: str) -> None:
    cluster = home.runtime.new_cluster(instance.resource_id, instance.settings["Port"])
    instance.cluster = cluster
    parameters = group_values.for_instance(home, instance)
    archive = backups.archive_of(home, instance)

    def work() -> None:
        cluster.create()
        cluster.move(archive=archive)
        cluster.configure(parameters)
        cluster.start()
        settings = instance.settings
        roles.create_master(cluster, settings["MasterUsername"], secret, settings["DBName"])

    def done() -> None:
        instance.applied = parameters
        instance.endpoint_known = True
        events.add(home, instance, "DB instance created", "creation")
        backups.become_available(home, instance, "instance")

    transitions.begin(home, instance, "instance", status="creating", work=work, done=done)
