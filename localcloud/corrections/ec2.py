"""EC2: a security group that a database or a proxy uses cannot be deleted."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.rds.models import rds_backends

from localcloud.corrections import urls


class Networks(EC2Backend):  # type: ignore[misc]  # moto has no types
    """moto's networks, aware of what RDS has in them."""

    @property
    def _url_module(self) -> Any:
        return urls.of("ec2")

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """Refuse a group in use, as the network interfaces of RDS would make EC2 do."""
        home = rds_backends[self.account_id][self.region_name]
        holders = [*home.instances.values(), *home.proxies.values()]
        if any(group_id in holder.settings["VpcSecurityGroupIds"] for holder in holders):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        super().delete_security_group(name, group_id)


def attach() -> None:
    """Make moto use the corrected backend."""
    ec2_backends.backend = Networks
