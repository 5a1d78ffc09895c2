"""Everything that is offered: importing this fills the table of operations."""

from __future__ import annotations

from types import ModuleType

from localcloud.rds import (
    automated_backups,
    backup_replication,
    creation,
    deletion,
    describe,
    engine,
    events,
    exports,
    modification,
    parameter_groups,
    point_in_time,
    power,
    proxies,
    proxy_pool,
    proxy_targets,
    replicas,
    restoring,
    snapshot_copies,
    snapshot_sharing,
    snapshots,
    subnet_groups,
    subscriptions,
    tags,
)
from localcloud.rds.operations import OPERATIONS

MODULES: tuple[ModuleType, ...] = (
    automated_backups,
    backup_replication,
    creation,
    deletion,
    describe,
    engine,
    events,
    exports,
    modification,
    parameter_groups,
    point_in_time,
    power,
    proxies,
    proxy_pool,
    proxy_targets,
    replicas,
    restoring,
    snapshot_copies,
    snapshot_sharing,
    snapshots,
    subnet_groups,
    subscriptions,
    tags,
)
# Filled by the imports above.
TABLE = OPERATIONS
