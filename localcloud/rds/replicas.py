"""CreateDBInstanceReadReplica and PromoteReadReplica: real streaming, real promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud import replication
from localcloud.rds import (
    backups,
    creation,
    describe,
    events,
    faults,
    group_values,
    keys,
    multi_az,
    transitions,
    validation,
    zones,
)
from localcloud.rds.instance import Instance, Source, new_resource_id
from localcloud.rds.operations import Answer, Call, operation

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_MOST_REPLICAS = 15
_MOST_LEVELS = 3
_SOURCE_STATES = {"available", "backing-up", "storage-optimization", "modifying"}
_INHERITED = (
    "DBName",
    "EngineVersion",
    "MasterUsername",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "StorageEncrypted",
)


@operation("CreateDBInstanceReadReplica")
def create_db_instance_read_replica(call: Call) -> Answer:
    """Make a streaming replica, in the source's region or another."""
    home = call.home
    name = validation.identifier(call.need("DBInstanceIdentifier"))
    if name in home.instances:
        raise faults.Fault("DBInstanceAlreadyExists", "DB instance already exists")
    source = _source(call)
    same_region = source.region == home.region_name
    group_name = call.get("DBParameterGroupName")
    if group_name is None and same_region:
        group_name = source.parameter_group
    replica = Instance(
        region=home.region_name,
        identifier=name,
        arn=home.arn("db", name),
        resource_id=new_resource_id(),
        settings=_settings(call, source, same_region=same_region),
        parameter_group=group_values.find(home, group_name).name,
        tags=list(call.get("Tags", [])),
        source=Source(source.region, source.identifier, source.resource_id, source.arn),
    )
    home.instances[name] = replica
    _launch(home, replica, source)
    return {"DBInstance": describe.instance(home, replica)}


def _source(call: Call) -> Instance:
    given = str(call.need("SourceDBInstanceIdentifier"))
    region = given.split(":")[3] if given.startswith("arn:") else call.home.region_name
    home = call.home.elsewhere(region)
    source = home.instance(given)
    transitions.require(source, _SOURCE_STATES, "used as a replication source")
    if not source.settings["BackupRetentionPeriod"] and source.source is None:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"Automated backups are not enabled for this database instance: {source.identifier}. "
            "To enable automated backups, use ModifyDBInstance to set the backup retention "
            "period to a non-zero value.",
        )
    if len(home.replicas_of(source)) >= _MOST_REPLICAS:
        raise faults.Fault(
            "InstanceQuotaExceeded", f"At most {_MOST_REPLICAS} replicas per source."
        )
    if source.source is not None and region != call.home.region_name:
        raise faults.invalid_value(
            "Cross-region read replicas cannot be made from an instance that is itself a replica."
        )
    if _level(home, source) >= _MOST_LEVELS:
        raise faults.invalid_combination(f"Replicas cascade at most {_MOST_LEVELS} levels.")
    return source


def _level(home: Home, instance: Instance) -> int:
    above = group_values.source_of(home, instance)
    return 0 if above is None else 1 + _level(home, above)


def _settings(call: Call, source: Instance, *, same_region: bool) -> dict[str, Any]:
    have = source.settings
    name = call.get("DBSubnetGroupName")
    if name is None and same_region:
        name = have["DBSubnetGroupName"]
    group = zones.subnet_group(call.home, name)
    wanted_class = call.get("DBInstanceClass", have["DBInstanceClass"])
    validation.instance_class(wanted_class)
    return {
        **{key: have[key] for key in _INHERITED},
        "DBInstanceClass": wanted_class,
        "Port": validation.port(call.get("Port", have["Port"])),
        # Not taken over from the source: backups, tags, protection, Multi-AZ, monitoring.
        "BackupRetentionPeriod": validation.retention(call.get("BackupRetentionPeriod", 0)),
        "VpcSecurityGroupIds": zones.groups_of(call, group.vpc),
        **_volume(call, source),
        "KmsKeyId": _key(call, source, same_region=same_region),
        **zones.placement(call, group, multi_az=bool(call.get("MultiAZ", False))),
        **creation.options(call),
    }


def _volume(call: Call, source: Instance) -> dict[str, Any]:
    have = source.settings
    size = int(call.get("AllocatedStorage", have["AllocatedStorage"]))
    if size < have["AllocatedStorage"]:
        raise faults.invalid_value("A replica's storage cannot be smaller than its source's.")
    return creation.volume_like(call, have)


def _key(call: Call, source: Instance, *, same_region: bool) -> str | None:
    if not source.settings["StorageEncrypted"]:
        if call.has("KmsKeyId"):
            raise faults.invalid_combination(
                "A KMS key cannot be given for a replica of an unencrypted instance."
            )
        return None
    if same_region:
        if call.has("KmsKeyId"):
            return keys.key_arn(call.home, call.get("KmsKeyId"))
        return str(source.settings["KmsKeyId"])
    if not call.has("KmsKeyId"):
        raise faults.invalid_combination(
            "Cannot create a cross region read replica from an encrypted instance without "
            "KmsKeyId: a key of the destination region is needed."
        )
    return keys.key_arn(call.home, call.get("KmsKeyId"))


def _launch(home: Home, replica: Instance, source: Instance) -> None:
    cluster = home.runtime.new_cluster(replica.resource_id, replica.settings["Port"])
    replica.cluster = cluster
    upstream = source.need_cluster()
    resource = replica.resource_id
    parameters = group_values.for_instance(home, replica)

    def work() -> None:
        replication.seed(upstream, cluster, replication.by_slot(upstream, resource))
        cluster.configure(parameters)
        cluster.start()
        replication.await_streaming(cluster, expected=lambda: group_values.on_course(home, replica))

    def done() -> None:
        replica.applied = parameters
        replica.endpoint_known = True
        events.add(home, replica, "Read replica instance created", "creation", "read replica")
        events.add(home, replica, "Replication for the Read Replica resumed", "read replica")
        backups.become_available(home, replica, "replica")

    transitions.begin(home, replica, "replica", status="creating", work=work, done=done)


@operation("PromoteReadReplica")
def promote_read_replica(call: Call) -> Answer:
    """Make a replica a primary of its own."""
    home = call.home
    replica = home.instance(call.need("DBInstanceIdentifier"))
    if replica.source is None:
        raise faults.Fault(
            "InvalidDBInstanceState", f"DB Instance {replica.identifier} is not a read replica."
        )
    transitions.require(replica, {"available", "storage-optimization"}, "promoted")
    replica.settings["BackupRetentionPeriod"] = validation.retention(
        call.get("BackupRetentionPeriod", replica.settings["BackupRetentionPeriod"] or 1)
    )
    replica.settings["PreferredBackupWindow"] = call.get(
        "PreferredBackupWindow", replica.settings["PreferredBackupWindow"]
    )
    start_promotion(home, replica)
    return {"DBInstance": describe.instance(home, replica)}


def start_promotion(home: Home, replica: Instance) -> None:
    """Promote a replica beside the call."""
    cluster = replica.need_cluster()
    source = group_values.source_of(home, replica)
    archive = backups.archive_of(home, replica)

    def work() -> None:
        multi_az.drop(home, replica)
        cluster.move(archive=archive)
        replication.promote(cluster)
        if source is not None and source.cluster is not None:
            replication.forget_slot(source.cluster, replica.resource_id)

    def done() -> None:
        replica.source = None
        events.add(
            home,
            replica,
            "Promoted Read Replica instance to a stand-alone database instance.",
            "read replica",
        )
        events.add(home, replica, "DB instance restarted", "availability")
        backups.become_available(home, replica, "promote")

    transitions.begin(
        home, replica, "promote", status="modifying", work=work, done=done, failure="available"
    )
