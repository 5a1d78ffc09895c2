"""RestoreDBInstanceFromDBSnapshot: a new instance with the data of a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud import backup
from localcloud.cluster import Cluster
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

    def fill(cluster: Cluster, parameters: dict[str, str]) -> None:
        with snapshot.copy.held() as directory:
            backup.put(directory, cluster)
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

    def work() -> None:
        cluster.move(archive=archive)
        fill(cluster, parameters)

    def done() -> None:
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
        failure="restore-error",
        extra=home.runtime.latency.of("restore-per-gib") * instance.settings["AllocatedStorage"],
    )
