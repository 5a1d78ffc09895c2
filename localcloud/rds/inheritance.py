"""What a restored instance takes over, and what it has only when that is passed."""

from __future__ import annotations

from typing import Any

from localcloud.rds import creation, faults, group_values, storage, validation, windows, zones
from localcloud.rds.instance import Instance, new_resource_id
from localcloud.rds.operations import Call
from localcloud.rds.records import Tags

_INHERITED = (
    "DBName",
    "EngineVersion",
    "MasterUsername",
    "PreferredMaintenanceWindow",
    "StorageEncrypted",
)
# Wanted by nobody so far, or not by PostgreSQL.
_UNSIMULATED = (
    "AdditionalStorageVolumes",
    "CustomIamInstanceProfile",
    "DBCapacityReservationIdentifier",
    "DBClusterSnapshotIdentifier",
    "DBName",
    "DedicatedLogVolume",
    "Domain",
    "DomainAuthSecretArn",
    "DomainDnsIps",
    "DomainFqdn",
    "DomainIAMRoleName",
    "DomainOu",
    "EnableCustomerOwnedIp",
    "ManageMasterUserPassword",
    "MasterUserSecretKmsKeyId",
    "OptionGroupName",
    "ProcessorFeatures",
    "TagSpecifications",
    "TdeCredentialArn",
    "TdeCredentialPassword",
    "UseDefaultProcessorFeatures",
)


def restored(
    call: Call, name: str, have: dict[str, Any], *, key: str | None, tags: Tags
) -> Instance:
    """Return a new instance as the call wants it, of what the restored one had.

    Raises the fault when something that is not offered is asked for.
    """
    home = call.home
    for parameter in _UNSIMULATED:
        if call.get(parameter):
            raise faults.not_simulated(call.operation, f"{parameter} is not offered.")
    if call.get("Engine", "postgres") != "postgres":
        raise faults.invalid_value("An instance is restored with the engine it had: postgres.")
    if call.get("BackupTarget", "region") != "region":
        raise faults.not_simulated(call.operation, "The only BackupTarget is region.")
    if name in home.instances:
        raise faults.Fault("DBInstanceAlreadyExists", "DB instance already exists")
    group = group_values.find(home, call.get("DBParameterGroupName"))
    return Instance(
        region=home.region_name,
        identifier=name,
        arn=home.arn("db", name),
        resource_id=new_resource_id(),
        settings=_settings(call, have, key),
        parameter_group=group.name,
        # Given tags take the place of the source's.
        tags=list(call.get("Tags", [])) or [dict(tag) for tag in tags],
    )


def _settings(call: Call, have: dict[str, Any], key: str | None) -> dict[str, Any]:
    group = zones.subnet_group(call.home, call.get("DBSubnetGroupName"))
    wanted_class = call.get("DBInstanceClass", have["DBInstanceClass"])
    validation.instance_class(wanted_class)
    backup = str(call.get("PreferredBackupWindow", have["PreferredBackupWindow"]))
    windows.check(backup, have["PreferredMaintenanceWindow"])
    return {
        **{name: have[name] for name in _INHERITED},
        "PreferredBackupWindow": backup,
        "DBInstanceClass": wanted_class,
        "KmsKeyId": key,
        "Port": validation.port(call.get("Port", have["Port"])),
        "BackupRetentionPeriod": validation.retention(
            call.get("BackupRetentionPeriod", have["BackupRetentionPeriod"])
        ),
        "VpcSecurityGroupIds": zones.groups_of(call, group.vpc),
        **_volume(call, have),
        **zones.placement(call, group, multi_az=bool(call.get("MultiAZ", False))),
        **creation.options(call),
    }


def _volume(call: Call, have: dict[str, Any]) -> dict[str, Any]:
    size = int(call.get("AllocatedStorage", have["AllocatedStorage"]))
    storage.check_growth(have["AllocatedStorage"], size)
    return creation.volume_like(call, have)
