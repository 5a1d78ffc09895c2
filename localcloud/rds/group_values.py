"""Parameter groups as the instances see them: found by name, worked out for a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import parameters, replication
from localcloud.cluster import Cluster
from localcloud.rds import faults, validation
from localcloud.rds.instance import Instance
from localcloud.rds.records import ParameterGroup

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def family(home: Home) -> str:
    """Return the one family there is."""
    return f"postgres{home.runtime.template.binaries.major}"


def find(home: Home, name: str | None) -> ParameterGroup:
    """Return a group by name; the default one is made on its first use."""
    default = f"default.{family(home)}"
    wanted = (name or default).lower()
    found = home.parameter_groups.get(wanted)
    if found is None and wanted == default:
        text = f"Default parameter group for {family(home)}"
        found = ParameterGroup(default, family(home), text, home.arn("pg", default), [])
        home.parameter_groups[default] = found
    if found is None:
        raise faults.Fault("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
    return found


def source_of(home: Home, instance: Instance) -> Instance | None:
    """Return the instance that a replica follows, while it exists."""
    if instance.source is None:
        return None
    there = home.elsewhere(instance.source.region).instances.get(instance.source.identifier)
    if there is None or there.resource_id != instance.source.resource_id:
        return None
    return there


def astray(home: Home, replica: Instance) -> Instance | None:
    """Return the source of a replica that still follows the cluster its source had before."""
    source = source_of(home, replica)
    if source is None or source.cluster is None or replica.cluster is None:
        return None
    upstream = replica.cluster.upstream
    if upstream is None or upstream.socket_directory == source.cluster.files.sockets:
        return None
    return source


def on_course(home: Home, replica: Instance) -> bool:
    """Tell whether a replica can be expected to stream: its source is there, and it knows where."""
    source = source_of(home, replica)
    return source is not None and not source.gone and astray(home, replica) is None


def for_instance(home: Home, instance: Instance) -> dict[str, str]:
    """Return what the instance's server is to be started with."""
    group = find(home, instance.parameter_group)
    size = validation.instance_class(instance.settings["DBInstanceClass"])
    runtime = home.runtime
    settings = parameters.for_server(runtime.catalogue, group.values, size, runtime.libraries)
    source = source_of(home, instance)
    if source is not None:
        settings = parameters.raise_to(settings, source.applied, replication.NOT_BELOW_SOURCE)
    return settings


def followers(home: Home, instance: Instance) -> list[Cluster]:
    """Return the clusters that stream from an instance: replicas, and the hidden standby."""
    replicas = [
        replica.cluster
        for replica in home.replicas_of(instance)
        if replica.cluster is not None and replica.endpoint_known and not replica.gone
    ]
    hidden = instance.standby.cluster
    return replicas if hidden is None else [*replicas, hidden]
