"""DeleteDBInstance: the rules of final snapshots and protection, then the cluster's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import replication
from localcloud.rds import describe, events, faults, group_values, replicas, transitions
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_BUSY = {"deleting"}


@operation("DeleteDBInstance")
def delete_db_instance(call: Call) -> Answer:
    """Delete an instance; in-region replicas become primaries, as on AWS."""
    home = call.home
    instance = home.instance(call.need("DBInstanceIdentifier"))
    _check(call, instance)
    for replica in home.replicas_of(instance):
        _release(home, instance, replica)
    source = group_values.source_of(home, instance)
    instance.gone = True

    def work() -> None:
        if source is not None and source.cluster is not None:
            if instance.cluster is not None:
                instance.cluster.stop()
            replication.forget_slot(source.cluster, instance.resource_id)
        home.runtime.discard(instance.resource_id)

    def done() -> None:
        home.instances.pop(instance.identifier, None)
        instance.status = "deleted"
        events.add(home, instance, "DB instance deleted", "deletion")

    transitions.begin(home, instance, "delete", status="deleting", work=work, done=done)
    return {"DBInstance": describe.instance(home, instance)}


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
    if final:
        raise faults.not_simulated(
            "DeleteDBInstance with a final snapshot",
            "Nothing was deleted; pass SkipFinalSnapshot to delete without one.",
        )


def _release(home: Home, source: Instance, replica: Instance) -> None:
    there = home.elsewhere(replica.region)
    if replica.region != source.region:
        # A replica in another region stays read-only, with its replication terminated.
        replica.replication_state = "terminated"
        return
    if replica.status == "available":
        replicas.start_promotion(there, replica)
