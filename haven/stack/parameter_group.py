"""DB parameter groups. The family is part of the name: a major upgrade needs a new group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.plan import Cost
from haven.stack.resource import Resource, attribute

Parameters = tuple[tuple[str, str], ...]


def same_parameters(wanted: Parameters, found: Parameters) -> bool:
    """Compare as sets: every wanted parameter as wanted, and none set besides."""
    return dict(wanted) == dict(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterGroup(Resource):
    """A group and every parameter that is set in it."""

    kind: ClassVar[str] = "parameter-group"
    description: str
    family: str = attribute(cost=Cost.REPLACEMENT)
    parameters: Parameters = attribute(same=same_parameters)
