"""Instances of a local cloud that was killed, started again with their data.

Everything that was only in memory is lost: proxies, events, subscriptions, and all of the other
services. What an instance shows of those (keys, subnets, security groups) leads nowhere.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from moto.rds.models import rds_backends

from localcloud import replication
from localcloud.cluster import Cluster
from localcloud.errors import LocalCloudError
from localcloud.rds import backups, events, group_values, memory, transitions, zones
from localcloud.rds.backend import Home
from localcloud.rds.instance import Instance
from localcloud.rds.memory import Memory
from localcloud.runtime import Runtime
from localcloud.settings import ACCOUNT


def take_over(runtime: Runtime) -> list[str]:
    """Begin to start what was recorded, remove the rest, and return the instances' ARNs."""
    chosen = _latest(runtime)
    for directory in runtime.clusters.iterdir():
        if directory not in chosen:
            shutil.rmtree(directory, ignore_errors=True)
    with runtime.lock:
        restored = [_restore(runtime, path, found) for path, found in chosen.items()]
        for home, instance, stopped in restored:
            _launch(home, instance, stopped=stopped)
    return sorted(instance.arn for _, instance, _ in restored)


def _latest(runtime: Runtime) -> dict[Path, Memory]:
    """Return the directories to keep: where a failover was cut short, the one it went to."""
    best: dict[str, tuple[Path, Memory]] = {}
    for path in sorted(runtime.clusters.glob(f"*/{memory.NAME}")):
        try:
            found = memory.read(path)
        except (KeyError, TypeError, ValueError) as error:
            raise LocalCloudError(
                f"{path} cannot be read ({error}); start without --take-over to begin afresh."
            ) from error
        _check_version(runtime, path.parent)
        before = best.get(found.instance.resource_id)
        if before is None or found.serial > before[1].serial:
            best[found.instance.resource_id] = (path.parent, found)
    return dict(best.values())


def _check_version(runtime: Runtime, directory: Path) -> None:
    theirs = (directory / "data" / "PG_VERSION").read_text().strip()
    ours = str(runtime.template.binaries.major)
    if theirs != ours:
        raise LocalCloudError(
            f"The clusters in {directory.parent} are of PostgreSQL {theirs}, not {ours}: choose "
            "it with --pg-bin, or start without --take-over to begin afresh."
        )


def _restore(runtime: Runtime, directory: Path, found: Memory) -> tuple[Home, Instance, bool]:
    instance = found.instance
    home: Home = rds_backends[ACCOUNT][instance.region]
    group_values.find(home, None)
    home.parameter_groups.setdefault(found.group.name, found.group)
    if found.subnets.name == "default":
        zones.subnet_group(home, None)
    home.subnet_groups.setdefault(found.subnets.name, found.subnets)
    instance.cluster = runtime.reopen_cluster(directory.name, found.address)
    instance.endpoint_known = True
    instance.pending.pop("MasterUserPassword", None)
    if not replication.is_standby(instance.cluster):
        # A promotion was done, and not yet recorded.
        instance.source = None
    if instance.replication_state == "error":
        instance.replication_state = "replicating"
    home.instances[instance.identifier] = instance
    return home, instance, found.stopped


def _launch(home: Home, instance: Instance, *, stopped: bool) -> None:
    cluster = instance.need_cluster()
    source = group_values.source_of(home, instance)
    # The authority is a new one.
    cluster.certify()
    cluster.parameters = dict(instance.applied)
    if stopped:
        instance.status = "stopped"
        return

    def work() -> None:
        _follow(instance, cluster, source)
        cluster.start()
        if instance.source is None and replication.in_recovery(cluster):
            # The standby of a failover that was cut short.
            replication.promote(cluster)

    def done() -> None:
        events.add(home, instance, "Recovery of the DB instance is complete.", "recovery")
        events.add(home, instance, "DB instance restarted", "availability")
        # Its backups were forgotten with everything else: a new one is the first.
        backups.become_available(home, instance, "reboot")

    transitions.begin(home, instance, "reboot", status="rebooting", work=work, done=done)


def _follow(instance: Instance, cluster: Cluster, source: Instance | None) -> None:
    if source is None or instance.replication_state == "terminated":
        cluster.move(upstream=None)
        return
    cluster.move(upstream=replication.way(source.need_cluster(), instance.resource_id))
