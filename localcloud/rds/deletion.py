"""DeleteDBInstance: the rules of final snapshots and protection, then the cluster's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import backup, replication
from localcloud.rds import (
    backups,
    describe,
    events,
    faults,
    group_values,
    memory,
    multi_az,
    replicas,
    snapshots,
    transitions,
    validation,
)
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Snapshot

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_BUSY = {"deleting"}


@operation("DeleteDBInstance")
def delete_db_instance(call: Call) -> Answer:
    """Delete an instance; in-region replicas become primaries, as on AWS."""
    home = call.home
    instance = home.instance(call.need("DBInstanceIdentifier"))
    _check(call, instance)
    retained = not call.get("DeleteAutomatedBackups", True)
    if retained:
        backups.check_retained(home)
    final = _final(call, instance) if call.has("FinalDBSnapshotIdentifier") else None
    stranded = [
        found
        for replica in home.replicas_of(instance)
        if (found := _release(home, instance, replica)) is not None
    ]
    instance.gone = True
    memory.forget(instance)

    def work() -> None:
        _take(instance, final)
        if retained:
            backups.retain(home, instance)
        _remove(home, instance, stranded)

    def done() -> None:
        home.instances.pop(instance.identifier, None)
        if not retained:
            backups.end(home, instance)
        instance.status = "deleted"
        _taken(home, final)
        events.add(home, instance, "DB instance deleted", "deletion")

    transitions.begin(home, instance, "delete", status="deleting", work=work, done=done)
    return {"DBInstance": describe.instance(home, instance)}


def _remove(home: Home, instance: Instance, stranded: list[Instance]) -> None:
    source = group_values.source_of(home, instance)
    if source is not None and source.cluster is not None:
        if instance.cluster is not None:
            instance.cluster.stop()
        replication.forget_slot(source.cluster, instance.resource_id)
    for replica in stranded:
        _strand(replica)
    multi_az.drop(home, instance)
    if instance.cluster is not None:
        home.runtime.discard(instance.cluster.name)


def _final(call: Call, instance: Instance) -> Snapshot:
    """Return the last snapshot of an instance, to be made before the instance goes."""
    name = validation.snapshot_identifier(call.get("FinalDBSnapshotIdentifier"))
    snapshots.check_new(call.home, name)
    if instance.cluster is None or not instance.serving:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"Cannot create a snapshot because the database instance {instance.identifier} is "
            "not currently in the available state.",
        )
    return snapshots.of_instance(call.home, instance, name, snapshots.copied_tags(instance))


def _taken(home: Home, final: Snapshot | None) -> None:
    if final is not None:
        final.status = "available"
        text = "Manual snapshot created"
        events.add_other(home, final.name, "db-snapshot", final.arn, text, "creation")


def _take(instance: Instance, final: Snapshot | None) -> None:
    """Make the final snapshot, if any. The instance stays when that fails."""
    if final is None:
        return
    try:
        backup.take(instance.need_cluster(), final.copy.directory)
    except BaseException:
        final.status = "failed"
        instance.gone = False
        raise


def _check(call: Call, instance: Instance) -> None:
    if instance.status in _BUSY:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"Instance {instance.identifier} is already being deleted.",
        )
    if instance.status == "creating":
        raise faults.instance_state(instance.identifier, instance.status, "deleted")
    if instance.settings["DeletionProtection"]:
        raise faults.invalid_combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again."
        )
    _check_replicas(call.home, instance)
    _check_final(call, instance)


def _check_replicas(home: Home, instance: Instance) -> None:
    for replica in home.replicas_of(instance):
        if replica.status == "creating":
            raise faults.Fault(
                "InvalidDBInstanceState",
                f"Cannot delete {instance.identifier} while its read replica "
                f"{replica.identifier} is being created.",
            )


def _check_final(call: Call, instance: Instance) -> None:
    skip = bool(call.get("SkipFinalSnapshot", False))
    final = call.get("FinalDBSnapshotIdentifier")
    if skip and final:
        raise faults.invalid_combination(
            "FinalDBSnapshotIdentifier can not be specified when deleting a instance with "
            "SkipFinalSnapshot=true."
        )
    if not skip and not final:
        raise faults.invalid_combination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    if final and instance.source is not None:
        raise faults.invalid_combination(
            "FinalDBSnapshotIdentifier can not be specified when deleting a replica instance"
        )


def _release(home: Home, source: Instance, replica: Instance) -> Instance | None:
    """Promote a replica beside its source, and return one in another region.

    That one stays readable with its replication terminated. One that is at work on something
    else is promoted when it has done with it.
    """
    there = home.elsewhere(replica.region)
    if replica.region != source.region:
        replica.replication_state = "terminated"
        events.add(there, replica, "Replication for the Read Replica terminated", "read replica")
        return replica
    if replica.status == "available":
        replicas.start_promotion(there, replica)
    return None


def _strand(replica: Instance) -> None:
    cluster = replica.need_cluster()
    with cluster.lock:
        cluster.move(upstream=None)
        if cluster.running:
            cluster.reload()
