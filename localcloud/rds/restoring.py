"""RestoreDBInstanceFromDBSnapshot: a new instance with the data of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud import backup
from localcloud.rds import (
    creation,
    describe,
    events,
    faults,
    group_values,
    keys,
    snapshots,
    storage,
    transitions,
    validation,
    zones,
)
from localcloud.rds.instance import Instance, new_resource_id
from localcloud.rds.operations import Answer, Call, operation

if TYPE_CHECKING:
    from localcloud.rds.backend import Home
    from localcloud.rds.records import Snapshot

# What else is wanted as it was has to be passed (API RestoreDBInstanceFromDBSnapshot).
_INHERITED = (
    "DBName",
    "EngineVersion",
    "MasterUsername",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "StorageEncrypted",
)


@operation("RestoreDBInstanceFromDBSnapshot")
def restore_db_instance_from_db_snapshot(call: Call) -> Answer:
    """Make an instance of a snapshot; the answer comes at once, the cluster follows."""
    home = call.home
    name = validation.identifier(call.need("DBInstanceIdentifier"))
    snapshot = snapshots.find(home, call.need("DBSnapshotIdentifier"))
    if name in home.instances:
        raise faults.Fault("DBInstanceAlreadyExists", "DB instance already exists")
    if snapshot.status != "available":
        raise faults.Fault(
            "InvalidDBSnapshotState",
            f"The snapshot {snapshot.name} is {snapshot.status}; it has to be available.",
        )
    group = group_values.find(home, call.get("DBParameterGroupName"))
    instance = Instance(
        region=home.region_name,
        identifier=name,
        arn=home.arn("db", name),
        resource_id=new_resource_id(),
        settings=_settings(call, snapshot.settings),
        parameter_group=group.name,
        # Given tags take the place of the snapshot's.
        tags=list(call.get("Tags", [])) or [dict(tag) for tag in snapshot.tags],
    )
    home.instances[name] = instance
    _launch(home, instance, snapshot)
    return {"DBInstance": describe.instance(home, instance)}


def _settings(call: Call, have: dict[str, Any]) -> dict[str, Any]:
    group = zones.subnet_group(call.home, call.get("DBSubnetGroupName"))
    wanted_class = call.get("DBInstanceClass", have["DBInstanceClass"])
    validation.instance_class(wanted_class)
    key = have["KmsKeyId"]
    return {
        **{name: have[name] for name in _INHERITED},
        "DBInstanceClass": wanted_class,
        "KmsKeyId": key and keys.key_arn(call.home, key),
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


def _launch(home: Home, instance: Instance, snapshot: Snapshot) -> None:
    cluster = home.runtime.new_cluster(instance.resource_id, instance.settings["Port"])
    instance.cluster = cluster
    parameters = group_values.for_instance(home, instance)

    def work() -> None:
        backup.put(snapshot.directory, cluster)
        cluster.configure(parameters)
        cluster.start()

    def done() -> None:
        instance.applied = parameters
        instance.endpoint_known = True
        events.add(home, instance, f"Restored from snapshot {snapshot.name}", "restoration")
        transitions.become_available(home, instance, "instance")

    transitions.begin(home, instance, "instance", status="creating", work=work, done=done)
