"""Where a stack's steps work: the stack, the clients, and the marks of ownership."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from haven.aws import Cloud
from haven.stack import names
from haven.stack.model import Stack
from haven.stack.resource import Found, Resource

R = TypeVar("R", bound=Resource)
Observation = Mapping[str, Found[Resource]]


class Vault:
    """Contents of secrets that this run has read. Never shown, never kept beyond the run."""

    def __init__(self) -> None:
        """Start empty."""
        self._contents: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def keep(self, contents: Mapping[str, Mapping[str, str]]) -> None:
        """Remember contents by secret name."""
        with self._lock:
            self._contents |= {name: dict(content) for name, content in contents.items()}

    def get(self, wanted: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return what is known of ``wanted``."""
        with self._lock:
            return {name: dict(self._contents[name]) for name in wanted if name in self._contents}

    def forget(self) -> None:
        """Forget everything: some secret was written."""
        with self._lock:
            self._contents.clear()


@dataclass(frozen=True, slots=True)
class Site:
    """A stack and the cloud it lives in."""

    stack: Stack
    cloud: Cloud
    vault: Vault = field(default_factory=Vault, repr=False, compare=False)
    # Regions that do not answer; what is there is neither looked at nor waited for.
    unseen: frozenset[str] = frozenset()

    def client(self, service: str, resource: Resource) -> Any:
        """Return the client of a service in a resource's region."""
        return self.cloud.client(service, resource.region)

    def tags(self, resource: Resource) -> dict[str, str]:
        """Return the tags that mark a resource as this stack's."""
        return names.tags(self.stack, resource.role) | dict(resource.marks)

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
