"""RDS: giving the master user a password."""

from __future__ import annotations

from typing import Any

from haven.pg import Login
from haven.waiting import Wait, wait_for
from tasks.instance_waits import READY, describe
from tasks.kinds import changes
from tasks.site import Site


@changes
def set_master_password(site: Site, region: str, instance: str, login: Login) -> None:
    """Set the master's password through RDS, and wait until it is no longer pending."""
    rds, settings = site.cloud.client("rds", region), site.cloud.settings
    rds.modify_db_instance(
        DBInstanceIdentifier=instance,
        MasterUserPassword=login.password,
        ApplyImmediately=True,
    )
    wait_for(
        Wait(
            what=f"the new master password of {instance}",
            probe=lambda: describe(rds, instance),
            reached=_settled,
            fatal=lambda _: None,
            interval=settings.interval,
            deadline=settings.deadline,
            describe=lambda item: str(item["DBInstanceStatus"]),
        )
    )


def _settled(item: dict[str, Any]) -> bool:
    pending = item.get("PendingModifiedValues", {})
    return item["DBInstanceStatus"] in READY and "MasterUserPassword" not in pending
