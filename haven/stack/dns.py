"""Private DNS: one zone, seen from both regions' networks, in which records name the writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.stack.resource import Resource, attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone(Resource):
    """A private hosted zone; ``networks`` are 'region vpc' pairs.

    ``whole`` is false while it is not yet seen from every network.
    """

    kind: ClassVar[str] = "zone"
    comment: str
    networks: tuple[str, ...] = ()
    whole: bool = attribute(default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Resource):
    """A record that points at an endpoint: a CNAME, or an A record where it is an address."""

    kind: ClassVar[str] = "record"
    tagged: ClassVar[bool] = False
    zone: str
    target: str = attribute()
    ttl: int = attribute(default=30)
