"""RebootDBInstance, StopDBInstance, StartDBInstance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import replication
from localcloud.rds import (
    describe,
    events,
    failover,
    faults,
    group_values,
    multi_az,
    transitions,
)
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


@operation("RebootDBInstance")
def reboot_db_instance(call: Call) -> Answer:
    """Restart the server; pending static parameters take effect."""
    home = call.home
    instance = home.instance(call.need("DBInstanceIdentifier"))
    if call.get("ForceFailover", False):
        if not instance.settings["MultiAZ"]:
            raise faults.invalid_combination(
                "Reboot with failover is only valid for Multi-AZ DB instances."
            )
        transitions.require(instance, {"available", "storage-optimization"}, "rebooted")
        failover.force(home, instance)
        return {"DBInstance": describe.instance(home, instance)}
    transitions.require(
        instance, {"available", "storage-optimization", "incompatible-parameters"}, "rebooted"
    )
    _reboot(home, instance)
    return {"DBInstance": describe.instance(home, instance)}


def _reboot(home: Home, instance: Instance) -> None:
    cluster = instance.need_cluster()
    followers = group_values.followers(home, instance)

    def work() -> None:
        with home.runtime.lock:
            instance.applied = group_values.for_instance(home, instance)
        replication.raise_followers(followers, instance.applied)
        cluster.stop()
        cluster.configure(instance.applied)
        cluster.start()
        if instance.source is not None and instance.replication_state == "replicating":
            replication.await_streaming(
                cluster, expected=lambda: group_values.on_course(home, instance)
            )

    def done() -> None:
        instance.parameter_status = "in-sync"
        instance.status = "available"
        events.add(home, instance, "DB instance shutdown", "availability")
        events.add(home, instance, "DB instance restarted", "availability")

    transitions.begin(
        home,
        instance,
        "reboot",
        status="rebooting",
        work=work,
        done=done,
        failure="incompatible-parameters",
    )


@operation("StopDBInstance")
def stop_db_instance(call: Call) -> Answer:
    """Stop the server; refused for an instance that has or is a replica."""
    home = call.home
    instance = home.instance(call.need("DBInstanceIdentifier"))
    transitions.require(instance, {"available"}, "stopped")
    if instance.source is not None or home.replicas_of(instance):
        raise faults.Fault(
            "InvalidDBInstanceState",
            "Cannot stop a DB instance that has a read replica or is a read replica.",
        )
    if call.has("DBSnapshotIdentifier"):
        raise faults.not_simulated("StopDBInstance with a snapshot")
    cluster = instance.need_cluster()

    def work() -> None:
        # It is made anew after the start, as a copy of what is then there.
        multi_az.drop(home, instance)
        cluster.stop()

    def done() -> None:
        instance.status = "stopped"
        events.add(home, instance, "DB instance stopped", "notification")

    transitions.begin(home, instance, "reboot", status="stopping", work=work, done=done)
    return {"DBInstance": describe.instance(home, instance)}


@operation("StartDBInstance")
def start_db_instance(call: Call) -> Answer:
    """Start a stopped instance."""
    home = call.home
    instance = home.instance(call.need("DBInstanceIdentifier"))
    transitions.require(instance, {"stopped"}, "started")
    parameters = group_values.for_instance(home, instance)
    cluster = instance.need_cluster()

    def work() -> None:
        cluster.configure(parameters)
        cluster.start()

    def done() -> None:
        instance.applied = parameters
        instance.parameter_status = "in-sync"
        instance.status = "available"
        events.add(home, instance, "DB instance started", "notification")

    transitions.begin(home, instance, "reboot", status="starting", work=work, done=done)
    return {"DBInstance": describe.instance(home, instance)}
