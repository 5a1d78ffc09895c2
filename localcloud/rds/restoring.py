"""RestoreDBInstanceFromDBSnapshot: a new instance with the data of a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud import backup
from localcloud.cluster import Cluster
from localcloud.errors import ClusterError
from localcloud.rds import (
    backups,
    describe,
    events,
    faults,
    group_values,
    inheritance,
    keys,
    snapshots,
    transitions,
    validation,
)
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation
from localcloud.restore_faults import FAIL, HANG, VERSION, RestoreFault

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

Fill = Callable[[Cluster, dict[str, str]], None]


@operation("RestoreDBInstanceFromDBSnapshot")
def restore_db_instance_from_db_snapshot(call: Call) -> Answer:
    """Make an instance of a snapshot; the answer comes at once, the cluster follows."""
    home = call.home
    name = validation.identifier(call.need("DBInstanceIdentifier"))
    snapshot = snapshots.find(home, call.need("DBSnapshotIdentifier"))
    if snapshot.status != "available":
        raise faults.Fault(
            "InvalidDBSnapshotState",
            f"The snapshot {snapshot.name} is {snapshot.status}; it has to be available.",
        )
    key = snapshot.settings["KmsKeyId"]
    instance = inheritance.restored(
        call,
        name,
        snapshot.settings,
        key=key and keys.key_arn(home, key),
        tags=snapshot.tags,
    )

    held = snapshot.copy.secured()

    def fill(cluster: Cluster, parameters: dict[str, str]) -> None:
        with held:
            backup.put(snapshot.copy.directory, cluster)
        cluster.configure(parameters)
        cluster.start()

    launch(home, instance, fill, f"Restored from snapshot {snapshot.name}")
    return {"DBInstance": describe.instance(home, instance)}


def launch(home: Home, instance: Instance, fill: Fill, message: str) -> None:
    """Add an instance whose cluster is filled and started beside the call."""
    home.instances[instance.identifier] = instance
    cluster = home.runtime.new_cluster(instance.resource_id, instance.settings["Port"])
    instance.cluster = cluster
    parameters = group_values.for_instance(home, instance)
    archive = backups.archive_of(home, instance)
    fault = home.runtime.restore_faults.take()

    def work() -> None:
        _meet(home, fault)
        cluster.move(archive=archive)
        fill(cluster, parameters)

    def done() -> None:
        if fault is not None and fault.kind == VERSION:
            instance.settings["EngineVersion"] = fault.value
        instance.applied = parameters
        instance.endpoint_known = True
        events.add(home, instance, message, "restoration")
        backups.become_available(home, instance, "instance")

    transitions.begin(
        home,
        instance,
        "instance",
        status="creating",
        work=work,
        done=done,
        failure=fault.value if fault is not None and fault.kind == FAIL else "restore-error",
        extra=home.runtime.latency.of("restore-per-gib") * instance.settings["AllocatedStorage"],
    )


def _meet(home: Home, fault: RestoreFault | None) -> None:
    """Let a restore hang or fail that was to."""
    if fault is None:
        return
    if fault.kind == HANG:
        home.runtime.restore_faults.hang()
    elif fault.kind == FAIL:
        raise ClusterError("The restore was to fail.")
