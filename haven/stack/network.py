"""Subnet groups and security groups: where instances stand and who may reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from haven.plan import Cost
from haven.stack.resource import Resource, attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetGroup(Resource):
    """A DB subnet group. Empty ``subnets`` means: those of the network, chosen when made."""

    kind: ClassVar[str] = "subnet-group"
    description: str
    vpc: str
    subnets: tuple[str, ...] = attribute(same=lambda want, have: not want or want == have)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup(Resource):
    """A security group without its rules, so that groups may refer to each other."""

    kind: ClassVar[str] = "security-group"
    description: str
    vpc: str = attribute(cost=Cost.REPLACEMENT, same=lambda want, have: not want or want == have)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRules(Resource):
    """All rules of one security group; each is 'direction protocol port peer'."""

    kind: ClassVar[str] = "security-rules"
    tagged: ClassVar[bool] = False
    group: str
    rules: tuple[str, ...] = attribute(same=lambda want, have: sorted(want) == sorted(have))


def rule(direction: str, port: int, peer: str, protocol: str = "tcp") -> str:
    """Write a rule: ``ingress`` or ``egress``, one port (-1: all), a group id or a CIDR block."""
    return f"{direction} {protocol} {port} {peer}"
