"""Automated backups of the primary, replicated to the recovery region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.plan import Cost
from haven.stack.resource import Resource, attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReplication(Resource):
    """Replication of backups; ``region`` is where the copies go, ``name`` the source instance."""

    kind: ClassVar[str] = "backup-replication"
    tagged: ClassVar[bool] = False
    source_region: str
    source: str = attribute(cost=Cost.REPLACEMENT)
    retention_days: int = attribute()
    key: str = attribute(cost=Cost.REPLACEMENT)
