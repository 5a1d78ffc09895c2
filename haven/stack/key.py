"""KMS keys: one per region, each with an alias, yearly rotation and a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.stack.resource import Resource, attribute, same_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Key(Resource):
    """A customer-managed key; ``name`` is its alias without the prefix ``alias/``."""

    kind: ClassVar[str] = "key"
    description: str
    policy: str = attribute(same=same_json)
    rotation_days: int = attribute()
    enabled: bool = attribute(default=True)
    has_alias: bool = attribute(default=True)
