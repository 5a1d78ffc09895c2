"""Where a stack's steps work: the stack, the clients, and the marks of ownership."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from haven.aws import Cloud
from haven.stack import names
from haven.stack.model import Stack
from haven.stack.resource import Found, Resource

R = TypeVar("R", bound=Resource)
Observation = Mapping[str, Found[Resource]]


@dataclass(frozen=True, slots=True)
class Site:
    """A stack and the cloud it lives in."""

    stack: Stack
    cloud: Cloud

    def client(self, service: str, resource: Resource) -> Any:
        """Return the client of a service in a resource's region."""
        return self.cloud.client(service, resource.region)

    def tags(self, resource: Resource) -> dict[str, str]:
        """Return the tags that mark a resource as this stack's."""
        return names.tags(self.stack, resource.role)

    def tag_list(self, resource: Resource) -> list[dict[str, str]]:
        """Return the same as a list of ``Key`` and ``Value``, as most services take them."""
        return as_list(self.tags(resource))


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Write tags as a list of ``Key`` and ``Value``."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def as_map(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Read a list of ``Key`` and ``Value``."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def only(kind: type[R], resources: Sequence[Resource]) -> list[R]:
    """Return the resources of one kind."""
    return [item for item in resources if isinstance(item, kind)]
