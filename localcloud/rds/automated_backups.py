"""DescribeDBInstanceAutomatedBackups and DeleteDBInstanceAutomatedBackup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.rds import backups, faults, group_values
from localcloud.rds.operations import Answer, Call, filters, operation
from localcloud.rds.records import AutomatedBackup

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_SHOWN = (
    "AllocatedStorage",
    "AvailabilityZone",
    "EngineVersion",
    "IAMDatabaseAuthenticationEnabled",
    "Iops",
    "MasterUsername",
    "Port",
    "PreferredBackupWindow",
    "StorageThroughput",
    "StorageType",
)


def shown(home: Home, record: AutomatedBackup) -> dict[str, Any]:
    """Return automated backups as the API shows them."""
    chosen = {name: record.settings.get(name) for name in _SHOWN}
    store = record.store
    window = {}
    if store.earliest is not None and store.latest is not None:
        window = {"EarliestTime": store.earliest, "LatestTime": store.latest}
    return {
        **{name: value for name, value in chosen.items() if value is not None},
        "Encrypted": record.settings["StorageEncrypted"],
        "Engine": "postgres",
        "LicenseModel": "postgresql-license",
        "InstanceCreateTime": record.instance_created,
        "OptionGroupName": f"default:{group_values.family(home).replace('s1', 's-1')}",
        "BackupTarget": "region",
        "DBInstanceArn": record.instance_arn,
        "DbiResourceId": record.resource_id,
        "DBInstanceIdentifier": record.identifier,
        "DBInstanceAutomatedBackupsArn": record.arn,
        "Region": record.region,
        "Status": record.status,
        "BackupRetentionPeriod": record.days,
        "KmsKeyId": record.key,
        "RestoreWindow": window,
        "DBInstanceAutomatedBackupsReplications": [
            {"DBInstanceAutomatedBackupsArn": copy.arn} for copy in copies(home, record)
        ],
        "TagList": record.tags,
    }


def copies(home: Home, record: AutomatedBackup) -> list[AutomatedBackup]:
    """Return what own backups are replicated to."""
    if record.retention is not None:
        return []
    return [
        copy
        for other in home.everywhere()
        for copy in other.replicated_backups.values()
        if copy.resource_id == record.resource_id
    ]


@operation("DescribeDBInstanceAutomatedBackups")
def describe_db_instance_automated_backups(call: Call) -> Answer:
    """The backups of this region's instances, of deleted ones, and those replicated into it."""
    home = call.home
    wanted = filters(call, ("db-instance-id", "dbi-resource-id", "status"))
    rows = [shown(home, record) for record in _kept(home)]
    named = {
        "DBInstanceIdentifier": call.get("DBInstanceIdentifier"),
        "DbiResourceId": call.get("DbiResourceId"),
        "DBInstanceAutomatedBackupsArn": call.get("DBInstanceAutomatedBackupsArn"),
    }
    chosen = [
        row
        for row in rows
        if all(value is None or row[name] == value for name, value in named.items())
        and row["DBInstanceIdentifier"]
        in wanted.get("db-instance-id", [row["DBInstanceIdentifier"]])
        and row["DbiResourceId"] in wanted.get("dbi-resource-id", [row["DbiResourceId"]])
        and row["Status"] in wanted.get("status", [row["Status"]])
    ]
    arn = call.get("DBInstanceAutomatedBackupsArn")
    if arn and not chosen:
        raise faults.no_automated_backup(arn)
    return {"DBInstanceAutomatedBackups": chosen}


def _kept(home: Home) -> list[AutomatedBackup]:
    """Return what there is: own backups show from their first one on."""
    born = {
        instance.resource_id for instance in home.instances.values() if not instance.endpoint_known
    }
    own = [found for found in home.automated_backups.values() if found.resource_id not in born]
    return [*own, *home.replicated_backups.values()]


@operation("DeleteDBInstanceAutomatedBackup")
def delete_automated_backup(call: Call) -> Answer:
    """Delete backups of a deleted instance, or replicated ones."""
    home = call.home
    arn, resource = call.get("DBInstanceAutomatedBackupsArn"), call.get("DbiResourceId")
    if (arn is None) == (resource is None):
        raise faults.invalid_combination(
            "Exactly one of DbiResourceId and DBInstanceAutomatedBackupsArn has to be given."
        )
    for table in (home.automated_backups, home.replicated_backups):
        for key, record in table.items():
            if arn == record.arn or (resource == record.resource_id and record.retention is None):
                _check(record)
                answer = shown(home, record)
                del table[key]
                backups.remove(home, record)
                return {"DBInstanceAutomatedBackup": {**answer, "Status": "deleting"}}
    raise faults.no_automated_backup(arn or resource)


def _check(record: AutomatedBackup) -> None:
    if record.status in ("active", "creating"):
        raise faults.Fault(
            "InvalidDBInstanceAutomatedBackupState",
            f"The automated backups of {record.identifier} are {record.status}: they are deleted "
            "with the instance, or by a retention period of 0.",
        )
