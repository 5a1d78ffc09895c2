"""What is kept of an instance beside its cluster, for whoever takes over after a kill.

Never a secret: the master's password is in the cluster, as a verifier.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.addresses import Address
from localcloud.cluster import Cluster
from localcloud.rds.instance import Instance, Source
from localcloud.rds.records import ParameterGroup, SubnetGroup

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

NAME = "instance.json"
_KEPT = (
    "region",
    "identifier",
    "arn",
    "resource_id",
    "settings",
    "parameter_group",
    "tags",
    "parameter_status",
    "pending",
    "replication_state",
    "applied",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """A record as it was read: the instance without its cluster, and what it refers to."""

    instance: Instance
    address: Address
    group: ParameterGroup
    subnets: SubnetGroup
    serial: int
    stopped: bool


def keep(home: Home, instance: Instance, cluster: Cluster) -> None:
    """Write the record beside ``cluster`` if it changed. Call under the runtime's lock."""
    subnets = home.subnet_groups[instance.settings["DBSubnetGroupName"]]
    facts = {
        **{name: getattr(instance, name) for name in _KEPT},
        "created": instance.created.isoformat(),
        "source": None if instance.source is None else dataclasses.asdict(instance.source),
        "stopped": instance.status in {"stopped", "stopping"},
        "made": instance.standby.made,
        # Names count up: the higher one is where a failover went to.
        "serial": int(cluster.name[len(instance.resource_id) + 1 :] or 0),
        "address": dataclasses.asdict(cluster.address),
        "group": dataclasses.asdict(home.parameter_groups[instance.parameter_group]),
        "subnets": dataclasses.asdict(subnets),
    }
    text = json.dumps(facts)
    if text != instance.remembered:
        home.runtime.owner.write(cluster.files.root / NAME, text)
        instance.remembered = text


def keep_all(home: Home) -> None:
    """Bring the records of a region's instances up to date. Call under the runtime's lock."""
    for instance in list(home.instances.values()):
        if instance.cluster is not None and instance.endpoint_known and not instance.gone:
            keep(home, instance, instance.cluster)


def forget(instance: Instance) -> None:
    """Remove the record: nobody is to bring the instance back."""
    if instance.cluster is not None:
        (instance.cluster.files.root / NAME).unlink(missing_ok=True)


def read(path: Path) -> Memory:
    """Return a record. Raises ``ValueError`` or ``KeyError`` when it is none."""
    facts: dict[str, Any] = json.loads(path.read_text())
    instance = Instance(
        **{name: facts[name] for name in _KEPT},
        created=dt.datetime.fromisoformat(facts["created"]),
        source=None if facts["source"] is None else Source(**facts["source"]),
    )
    instance.standby.made = facts["made"]
    return Memory(
        instance=instance,
        address=Address(**facts["address"]),
        group=ParameterGroup(**facts["group"]),
        subnets=SubnetGroup(**{**facts["subnets"], "lost": True}),
        serial=facts["serial"],
        stopped=facts["stopped"],
    )
