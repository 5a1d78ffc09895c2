"""Everything that is offered: importing this fills the table of operations."""

from __future__ import annotations

from types import ModuleType

from localcloud.rds import (
    creation,
    deletion,
    describe,
    engine,
    events,
    modification,
    parameter_groups,
    power,
    proxies,
    proxy_pool,
    proxy_targets,
    replicas,
    subnet_groups,
    tags,
)
from localcloud.rds.operations import OPERATIONS

MODULES: tuple[ModuleType, ...] = (
    creation,
    deletion,
    describe,
    engine,
    events,
    modification,
    parameter_groups,
    power,
    proxies,
    proxy_pool,
    proxy_targets,
    replicas,
    subnet_groups,
    tags,
)
# Filled by the imports above.
TABLE = OPERATIONS
