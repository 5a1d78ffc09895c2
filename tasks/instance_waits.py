"""RDS: waiting for instances, and for the backup that one may be in."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.stack.instance import Instance
from haven.waiting import Wait, wait_for
from tasks.site import Site

T = TypeVar("T")

READY = frozenset({"available", "storage-optimization"})
# The first backup begins once the instance serves: nothing has to wait for its end.
SERVING = READY | {"backing-up"}
CREATING = "creating"
FATAL = frozenset(
    {
        "failed",
        "restore-error",
        "insufficient-capacity",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "storage-full",
        "stopped",
        "deleting",
    }
)


def wait_available(
    site: Site,
    instance: Instance,
    *,
    settled: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> dict[str, Any]:
    """Wait until the instance is available and ``settled``; return its description.

    Right after a change an instance still says it is available, so what counts as settled
    must be visible in the description itself.
    """
    return wait_status(site, instance.region, instance.name, READY, settled=settled)


def wait_status(
    site: Site,
    region: str,
    name: str,
    ready: Collection[str],
    *,
    settled: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> dict[str, Any]:
    """Wait until an instance has an address and one of the statuses; return its description."""
    rds, settings = site.cloud.client("rds", region), site.cloud.settings
    return wait_for(
        Wait(
            what=f"instance/{region}/{name} to be available",
            probe=lambda: describe(rds, name),
            reached=lambda item: (
                item["DBInstanceStatus"] in ready and "Endpoint" in item and settled(item)
            ),
            fatal=lambda item: (
                item["DBInstanceStatus"] if item["DBInstanceStatus"] in FATAL else None
            ),
            interval=settings.interval,
            deadline=settings.deadline,
            describe=lambda item: str(item["DBInstanceStatus"]),
        )
    )


def wait_made(site: Site, instance: Instance) -> None:
    """Wait until the instance has been made, for better or worse."""
    rds, settings = site.client("rds", instance), site.cloud.settings
    wait_for(
        Wait(
            what=f"{instance.address} to be made",
            probe=lambda: describe(rds, instance.name),
            reached=lambda item: item["DBInstanceStatus"] != CREATING,
            fatal=lambda _: None,
            interval=settings.interval,
            deadline=settings.deadline,
        )
    )


def describe(rds: Any, name: str) -> dict[str, Any]:
    """Return the description of one instance."""
    answer = rds.describe_db_instances(DBInstanceIdentifier=name)
    description: dict[str, Any] = answer["DBInstances"][0]
    return description


def after_backup(site: Site, region: str, name: str, call: Callable[[], T]) -> T:
    """Make a call that stands on an instance; again after the backup that the instance is in.

    Only an instance that RDS refuses in its present status is waited for.
    """
    try:
        return call()
    except ClientError as error:
        if not is_code(error, "InvalidDBInstanceState", "InvalidDBInstanceStateFault"):
            raise
    wait_status(site, region, name, READY)
    return call()
