"""Automated backups, and their replication into another region, as an API."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from localcloud.rds import faults, group_values, keys, validation
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, filters, operation
from localcloud.rds.records import BackupReplication, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_MOST = 20
_COPIED = (
    "AllocatedStorage",
    "EngineVersion",
    "IAMDatabaseAuthenticationEnabled",
    "Iops",
    "MasterUsername",
    "Port",
    "StorageThroughput",
    "StorageType",
)


def _facts(home: Home, instance: Instance) -> dict[str, Any]:
    chosen = {name: instance.settings.get(name) for name in _COPIED}
    return {
        **{name: value for name, value in chosen.items() if value is not None},
        "Encrypted": instance.settings["StorageEncrypted"],
        "Engine": "postgres",
        "LicenseModel": "postgresql-license",
        "InstanceCreateTime": instance.created,
        "OptionGroupName": f"default:{group_values.family(home).replace('s1', 's-1')}",
        "AvailabilityZone": instance.settings["AvailabilityZone"],
        "BackupTarget": "region",
    }


def _own(home: Home, instance: Instance) -> dict[str, Any]:
    """Return an instance's own automated backup as the API shows it."""
    window = {}
    if instance.latest_restorable is not None:
        window = {"EarliestTime": instance.created, "LatestTime": instance.latest_restorable}
    return {
        **_facts(home, instance),
        "DBInstanceArn": instance.arn,
        "DbiResourceId": instance.resource_id,
        "DBInstanceIdentifier": instance.identifier,
        "DBInstanceAutomatedBackupsArn": home.arn("auto-backup", _name(instance.resource_id)),
        "Region": home.region_name,
        "Status": "active" if instance.latest_restorable else "creating",
        "BackupRetentionPeriod": instance.settings["BackupRetentionPeriod"],
        "KmsKeyId": instance.settings.get("KmsKeyId"),
        "RestoreWindow": window,
        "DBInstanceAutomatedBackupsReplications": [
            {"DBInstanceAutomatedBackupsArn": copy.arn} for copy in _copies(home, instance.arn)
        ],
    }


def _name(resource: str) -> str:
    return "ab-" + resource.removeprefix("db-").lower()


def _copies(home: Home, source: str) -> list[BackupReplication]:
    return [
        copy
        for other in home.everywhere()
        for copy in other.replicated_backups.values()
        if copy.source_arn == source
    ]


def _replicated(home: Home, copy: BackupReplication) -> dict[str, Any]:
    source = home.elsewhere(copy.source_region).instances.get(copy.identifier)
    window = {}
    if copy.status != "pending":
        latest = source.latest_restorable if source else None
        window = {"EarliestTime": copy.created, "LatestTime": latest or copy.created}
    return {
        **copy.snapshot,
        "DBInstanceArn": copy.source_arn,
        "DbiResourceId": copy.resource_id,
        "DBInstanceIdentifier": copy.identifier,
        "DBInstanceAutomatedBackupsArn": copy.arn,
        "Region": copy.source_region,
        "Status": copy.status,
        "BackupRetentionPeriod": copy.retention,
        "KmsKeyId": copy.key,
        "RestoreWindow": window,
    }


@operation("DescribeDBInstanceAutomatedBackups")
def describe_db_instance_automated_backups(call: Call) -> Answer:
    """The backups of this region's instances, and those replicated into it."""
    wanted = filters(call, ("db-instance-id", "dbi-resource-id", "status"))
    rows = [
        _own(call.home, instance)
        for instance in call.home.instances.values()
        if instance.settings["BackupRetentionPeriod"] and instance.endpoint_known
    ]
    rows += [_replicated(call.home, copy) for copy in call.home.replicated_backups.values()]
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
        raise _not_found(arn)
    return {"DBInstanceAutomatedBackups": chosen}


def _not_found(arn: str) -> faults.Fault:
    return faults.Fault(
        "DBInstanceAutomatedBackupNotFound", f"Automated backup {arn} was not found."
    )


def _source(call: Call) -> tuple[str, Instance]:
    arn = str(call.need("SourceDBInstanceArn"))
    if not arn.startswith("arn:"):
        raise faults.invalid_value(f"Invalid resource name: {arn}")
    region = arn.split(":")[3]
    if region == call.home.region_name:
        raise faults.invalid_value(
            "The source DB instance is in this region; call in the destination region."
        )
    return region, call.home.elsewhere(region).instance(arn)


@operation("StartDBInstanceAutomatedBackupsReplication")
def start_replication(call: Call) -> Answer:
    """Replicate an instance's backups into the region of the call."""
    home = call.home
    region, source = _source(call)
    if not source.settings["BackupRetentionPeriod"]:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"Automated backups are not enabled for {source.identifier}.",
        )
    if any(copy.source_arn == source.arn for copy in home.replicated_backups.values()):
        raise faults.invalid_value(
            f"Automated backups of {source.arn} are already replicated to {home.region_name}."
        )
    if len(home.replicated_backups) >= _MOST:
        raise faults.Fault("DBInstanceAutomatedBackupQuotaExceeded", f"At most {_MOST} per region.")
    key = _key(call, source)
    copy = BackupReplication(
        arn=home.arn("auto-backup", "ab-" + secrets.token_hex(13)),
        source_arn=source.arn,
        source_region=region,
        identifier=source.identifier,
        resource_id=source.resource_id,
        retention=validation.retention(call.get("BackupRetentionPeriod", 7)),
        key=key,
        created=now(),
        snapshot=_facts(home, source),
        tags=list(call.get("Tags", [])),
    )
    home.replicated_backups[copy.arn] = copy
    _begin(home, copy)
    return {"DBInstanceAutomatedBackup": _replicated(home, copy)}


def _key(call: Call, source: Instance) -> str | None:
    if not source.settings["StorageEncrypted"]:
        return None
    if not call.has("KmsKeyId"):
        raise faults.invalid_combination(
            "Replicating the backups of an encrypted instance needs KmsKeyId: a key of the "
            "destination region."
        )
    return keys.key_arn(call.home, call.get("KmsKeyId"))


def _begin(home: Home, copy: BackupReplication) -> None:
    def done() -> None:
        with home.runtime.lock:
            copy.status = "replicating"

    home.runtime.lifecycle.begin("replica", lambda: None, done, lambda _: done())


@operation("StopDBInstanceAutomatedBackupsReplication")
def stop_replication(call: Call) -> Answer:
    """End the replication; what was replicated is gone, as there is nothing behind it."""
    arn = str(call.need("SourceDBInstanceArn"))
    for copy in list(call.home.replicated_backups.values()):
        if copy.source_arn == arn:
            del call.home.replicated_backups[copy.arn]
            return {"DBInstanceAutomatedBackup": _replicated(call.home, copy)}
    raise faults.Fault("DBInstanceNotFound", f"The backups of {arn} are not replicated here.")


@operation("DeleteDBInstanceAutomatedBackup")
def delete_automated_backup(call: Call) -> Answer:
    """Delete a replicated backup."""
    arn = call.get("DBInstanceAutomatedBackupsArn", "")
    copy = call.home.replicated_backups.pop(arn, None)
    if copy is None:
        raise _not_found(arn or call.get("DbiResourceId", ""))
    return {"DBInstanceAutomatedBackup": _replicated(call.home, copy)}
