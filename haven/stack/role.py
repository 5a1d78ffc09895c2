"""IAM roles that AWS services assume for the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.stack.resource import Resource, attribute, same_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Role(Resource):
    """A role, whom it trusts, its one inline policy (or none) and managed policies.

    ``strange`` names inline policies that somebody else put there: none is wanted.
    """

    kind: ClassVar[str] = "role"
    description: str
    trust: str = attribute(same=same_json)
    policy: str = attribute(default="", same=same_json)
    managed: tuple[str, ...] = attribute(
        default=(), same=lambda want, have: sorted(want) == sorted(have)
    )
    strange: tuple[str, ...] = attribute(default=())
