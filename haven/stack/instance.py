"""DB instances: the primary and its replicas, with what changing each attribute costs.

Costs are those of the RDS User Guide, "Settings for DB instances".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.plan import Cost
from haven.stack.resource import Resource, accept_any, at_least, attribute


def same_major(wanted: str, found: str) -> bool:
    """Accept any minor version of the wanted major one, and that version itself."""
    return found == wanted or found.startswith(wanted + ".")


def if_wanted(wanted: object, found: object) -> bool:
    """Compare only where the stack says something."""
    return not wanted or wanted == found


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Resource):
    """An instance. ``source`` is empty for a primary, else the ARN it replicates from."""

    kind: ClassVar[str] = "instance"
    master_secret: str = ""
    subnet_group: str = attribute(cost=Cost.REPLACEMENT)
    source: str = attribute(cost=Cost.REPLACEMENT, default="")
    engine_version: str = attribute(cost=Cost.OUTAGE, same=same_major)
    instance_class: str = attribute(cost=Cost.OUTAGE)
    database: str = attribute(cost=Cost.REPLACEMENT, same=if_wanted)
    master_username: str = attribute(cost=Cost.REPLACEMENT, same=if_wanted)
    port: int = attribute(cost=Cost.OUTAGE)
    zone: str = attribute(cost=Cost.REPLACEMENT, same=if_wanted, default="")
    multi_az: bool = attribute()
    storage_type: str = attribute()
    allocated_gib: int = attribute(same=at_least)
    max_allocated_gib: int = attribute()
    iops: int = attribute(same=if_wanted, default=0)
    key: str = attribute(cost=Cost.REPLACEMENT)
    security_groups: tuple[str, ...] = attribute(
        same=lambda want, have: sorted(want) == sorted(have)
    )
    parameter_group: str = attribute(cost=Cost.REBOOT)
    parameters_applied: bool = attribute(cost=Cost.REBOOT, default=True)
    backup_retention_days: int = attribute()
    backup_window: str = attribute(same=if_wanted)
    maintenance_window: str = attribute(same=if_wanted)
    copy_tags_to_snapshots: bool = attribute(default=True)
    deletion_protection: bool = attribute()
    auto_minor_upgrade: bool = attribute()
    monitoring_interval: int = attribute()
    monitoring_role: str = attribute()
    performance_insights_days: int = attribute()
    log_exports: tuple[str, ...] = attribute(same=lambda want, have: sorted(want) == sorted(have))
    ca_certificate: str = attribute(same=if_wanted)
    public: bool = attribute(default=False)
    status: str = attribute(same=accept_any, default="available")

    @property
    def is_replica(self) -> bool:
        """Tell a replica from a primary."""
        return bool(self.source)
