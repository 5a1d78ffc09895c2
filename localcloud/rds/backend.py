"""The state of RDS in one region, attached to moto in place of moto's own."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.base_backend import BaseBackend
from moto.core.resource_tagging import TaggableResourcesMixin, TaggedResource
from moto.rds.models import rds_backends

from localcloud.rds import faults
from localcloud.rds.instance import Instance
from localcloud.rds.records import (
    AutomatedBackup,
    Event,
    ParameterGroup,
    Proxy,
    Snapshot,
    SubnetGroup,
    Subscription,
)
from localcloud.runtime import Runtime

if TYPE_CHECKING:
    from localcloud.rds.exports import Task


class Home(BaseBackend, TaggableResourcesMixin):  # type: ignore[misc]  # moto has no types
    """One region of one account."""

    SERVICE_NAMESPACE = "rds"
    region_name: str
    account_id: str
    runtime: ClassVar[Runtime]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.instances: dict[str, Instance] = {}
        self.subnet_groups: dict[str, SubnetGroup] = {}
        self.parameter_groups: dict[str, ParameterGroup] = {}
        self.proxies: dict[str, Proxy] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.snapshots: dict[str, Snapshot] = {}
        # By the resource of the instance; those from other regions by their ARN.
        self.automated_backups: dict[str, AutomatedBackup] = {}
        self.replicated_backups: dict[str, AutomatedBackup] = {}
        self.events: list[Event] = []
        self.export_tasks: dict[str, Task] = {}

    @property
    def _url_module(self) -> Any:
        from localcloud.rds.responses import CloudResponse  # noqa: PLC0415  # moto asks late

        return types.SimpleNamespace(
            url_bases=[r"https?://rds\.(.+)\.amazonaws\.com", r"https?://rds\.amazonaws\.com"],
            url_paths={"{0}/$": CloudResponse.dispatch},
        )

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a resource of this region."""
        return f"arn:{self.partition}:rds:{self.region_name}:{self.account_id}:{kind}:{name}"

    def elsewhere(self, region: str) -> Home:
        """Return the same account in another region."""
        account = rds_backends[self.account_id]
        if region not in account:
            raise faults.invalid_value(f"Unknown region: {region}")
        found: Home = account[region]
        return found

    def everywhere(self) -> list[Home]:
        """Return every region of this account that has been used."""
        return list(rds_backends[self.account_id].values())

    def instance(self, identifier: str) -> Instance:
        """Return an instance of this region by its name or ARN."""
        name = identifier.rsplit(":", 1)[-1].lower()
        found = self.instances.get(name)
        if found is None:
            raise faults.no_instance(name)
        return found

    def replicas_of(self, source: Instance) -> list[Instance]:
        """Return the replicas that follow an instance, in all regions."""
        return [
            item
            for home in self.everywhere()
            for item in home.instances.values()
            if item.source is not None and item.source.resource_id == source.resource_id
        ]

    def owns_arn(self, arn: str) -> bool:
        """Tell whether an ARN is of this region's RDS."""
        return arn.startswith(f"arn:{self.partition}:rds:{self.region_name}:")

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """Yield everything that bears tags, for the tagging API."""
        from localcloud.rds.tags import tagged  # noqa: PLC0415  # tags needs this module

        for arn, kind, tags in tagged(self):
            table = {tag["Key"]: tag.get("Value", "") for tag in tags}
            yield TaggedResource(arn=arn, resource_type=f"rds:{kind}", tags=table)

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        """Add tags, for the tagging API."""
        from localcloud.rds.tags import of_resource  # noqa: PLC0415  # tags needs this module

        found = of_resource(self, arn)
        table = {tag["Key"]: tag.get("Value", "") for tag in found}
        table.update(tags)
        found[:] = [{"Key": key, "Value": value} for key, value in table.items()]

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        """Take tags away, for the tagging API."""
        from localcloud.rds.tags import of_resource  # noqa: PLC0415  # tags needs this module

        found = of_resource(self, arn)
        found[:] = [tag for tag in found if tag["Key"] not in tag_keys]


def attach(runtime: Runtime) -> None:
    """Make moto use this state for every account and region. Call before the first request."""
    rds_backends.backend = type("AttachedHome", (Home,), {"runtime": runtime})
