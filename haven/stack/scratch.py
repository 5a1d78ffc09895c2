"""The instance that a backup is restored to: of the stack, but not part of it.

It is in no topology: a verification makes it and removes it. Only workers that run Haven reach it.
"""

from __future__ import annotations

from dataclasses import replace

from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.model import Stack
from haven.stack.sides import make_side
from haven.stack.topology import topology
from haven.verification.guard import ROLE


def scratch(stack: Stack, name: str, *, recovery: bool) -> Instance:
    """Describe a scratch instance in the home region, or in the other one.

    It has the engine, parameters and key of the instance of the stack there, no backups, no
    standby, no exported log and nobody's protection: what is restored onto it must be gone when it
    is.
    """
    like = names.recovery_replica(stack) if recovery else names.primary(stack)
    model = next(
        item for item in topology(stack) if isinstance(item, Instance) and item.name == like
    )
    return replace(
        model,
        name=name,
        role=ROLE,
        master_secret="",
        source="",
        after=(),
        zone="",
        security_groups=(make_side(stack, recovery=recovery).scratch_group.output("id"),),
        instance_class=stack.verification.instance_class,
        multi_az=False,
        backup_retention_days=0,
        copy_tags_to_snapshots=False,
        deletion_protection=False,
        auto_minor_upgrade=False,
        monitoring_interval=0,
        monitoring_role="",
        performance_insights_days=0,
        log_exports=(),
    )
