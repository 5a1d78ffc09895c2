"""The instance that migrations are rehearsed on: of the stack, but not part of it.

It is in no topology: provision neither makes nor misses it. A rehearsal makes it and removes it,
and so does destroy where a rehearsal was killed.
"""

from __future__ import annotations

from dataclasses import replace

from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.model import Stack
from haven.stack.topology import topology

ROLE = "rehearsal"
# The smallest class with memory for the stack's parameters, and the smallest volume.
CLASS = "db.t4g.medium"
GIB = 20


def scratch(stack: Stack, gib: int = GIB) -> Instance:
    """Describe the instance: the primary's engine, parameters, network and key, and little else.

    Its volume has so many GiB, and its ceiling is the least above that. No backup, replica or
    exported log: what is copied onto it must be gone when it is.
    """
    first = names.primary(stack)
    primary = next(
        item for item in topology(stack) if isinstance(item, Instance) and item.name == first
    )
    return replace(
        primary,
        name=names.rehearsal(stack),
        role=ROLE,
        master_secret="",
        after=(),
        instance_class=CLASS,
        multi_az=False,
        storage_type="gp3",
        allocated_gib=gib,
        max_allocated_gib=gib - (-gib // 10),
        iops=0,
        backup_retention_days=0,
        copy_tags_to_snapshots=False,
        deletion_protection=False,
        monitoring_interval=0,
        monitoring_role="",
        performance_insights_days=0,
        log_exports=(),
    )
