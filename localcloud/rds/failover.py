"""Failover to the hidden standby, asked for or forced by a crash, and recovery without one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from localcloud import replication
from localcloud.cluster import Cluster
from localcloud.errors import ClusterError
from localcloud.rds import events, memory, multi_az, transitions
from localcloud.rds.instance import Instance

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

# Longer than a standby pauses between two attempts (wal_retrieve_retry_interval, 5 s).
_REJOIN_LIMIT = 8.0


def force(home: Home, instance: Instance) -> None:
    """Fail over because a user asked: the primary ends in order, then the standby takes over."""

    def work() -> None:
        instance.need_cluster().stop()
        _exchange(home, instance)

    def done() -> None:
        events.add(home, instance, "DB instance restarted", "availability")
        _completed(home, instance)

    events.add(home, instance, "Multi-AZ instance failover started.", "failover")
    transitions.begin(
        home,
        instance,
        "reboot",
        status="rebooting",
        before=lambda: multi_az.await_ready(instance),
        work=work,
        done=done,
        failure="available",
    )


def after_crash(home: Home, instance: Instance) -> None:
    """Bring an instance back whose server died: on its standby, or by crash recovery in place."""
    if instance.standby.cluster is not None and instance.standby.cluster.running:
        _take_over(home, instance)
    else:
        _recover(home, instance)


def _take_over(home: Home, instance: Instance) -> None:
    def work() -> None:
        instance.need_cluster().fence()
        _exchange(home, instance)

    events.add(home, instance, "Multi-AZ instance failover started.", "failover")
    transitions.begin(
        home,
        instance,
        "reboot",
        status="rebooting",
        work=work,
        done=lambda: _completed(home, instance),
    )


def _completed(home: Home, instance: Instance) -> None:
    instance.status = "available"
    events.add(home, instance, "Multi-AZ instance failover completed.", "failover", "notification")


def _recover(home: Home, instance: Instance) -> None:
    def work() -> None:
        cluster = instance.need_cluster()
        cluster.fence()
        multi_az.drop(home, instance)
        cluster.start()

    def done() -> None:
        instance.status = "available"
        events.add(home, instance, "Recovery of the DB instance is complete.", "recovery")
        events.add(home, instance, "DB instance restarted", "availability")

    text = "Recovery of the DB instance has started. Recovery time will vary with the amount of "
    events.add(home, instance, f"{text}data to be recovered.", "recovery")
    transitions.begin(home, instance, "reboot", status="rebooting", work=work, done=done)


def _exchange(home: Home, instance: Instance) -> None:
    """Put the standby in the place of a primary that has ended."""
    old, new = instance.need_cluster(), instance.standby.cluster
    if new is None:
        raise ClusterError(f"{instance.identifier} has no standby.")
    with home.runtime.lock:
        # Before a client can commit to it: whoever takes over after a kill must find this one.
        memory.keep(home, instance, new)
    with new.lock:
        new.parameters = dict(old.parameters)
        if instance.source is None:
            replication.promote(new)
        else:
            new.move(upstream=old.place.upstream, hidden=False, linked=old.place.linked)
            new.restart()
    with home.runtime.lock:
        instance.cluster, instance.standby.cluster = new, None
        settings = instance.settings
        settings["AvailabilityZone"], settings["SecondaryAvailabilityZone"] = (
            settings["SecondaryAvailabilityZone"],
            settings["AvailabilityZone"],
        )
        replicas = home.replicas_of(instance)
    for replica in replicas:
        # So that the WAL it lacks is kept until it is there.
        replication.by_slot(new, replica.resource_id)
    home.runtime.discard(old.name)


def redirect(home: Home, source: Instance, replica: Instance) -> None:
    """Let a replica follow the present cluster of its source, beside whatever else goes on.

    One that cannot, because it had received more than the standby had or lacks what is not kept
    any more, is copied anew.
    """
    replica.joining = True

    def work() -> None:
        follower, target = replica.need_cluster(), source.need_cluster()
        if follower.running and not follower.frozen and not _follows(replica, follower, target):
            _copy_anew(home, replica, target)

    def done() -> None:
        replica.joining = False

    def failed(_: BaseException) -> None:
        replica.joining = False

    def guarded() -> None:
        with replica.need_cluster().lock:
            work()

    home.runtime.lifecycle.begin("modify", guarded, done, failed, share=0.0)


def _follows(replica: Instance, follower: Cluster, target: Cluster) -> bool:
    """Point the replica at its source, and tell whether it streams from there."""
    follower.move(upstream=replication.by_slot(target, replica.resource_id))
    if replication.diverged(follower, target):
        return False
    follower.reload()
    if not follower.place.linked:
        return True
    try:
        replication.await_streaming(follower, _REJOIN_LIMIT)
    except ClusterError:
        return False
    return True


def _copy_anew(home: Home, replica: Instance, source: Cluster) -> None:
    cluster = replica.need_cluster()
    upstream = cluster.upstream
    if upstream is None:
        raise ClusterError(f"{replica.identifier} follows nobody.")
    multi_az.drop(home, replica)
    cluster.stop()
    shutil.rmtree(cluster.files.data)
    replication.seed(source, cluster, upstream)
    cluster.start()
    replication.await_streaming(cluster)
