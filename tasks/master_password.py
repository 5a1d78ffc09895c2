"""RDS: giving the master user the password of its secret again."""

from __future__ import annotations

from typing import Any

from haven.stack import names
from haven.waiting import Wait, wait_for
from tasks.instance_waits import READY, describe
from tasks.kinds import changes
from tasks.secrets import passwords
from tasks.site import Site


@changes
def reset_master_password(site: Site, region: str, instance: str) -> None:
    """Set the master's password through RDS, and wait until it is no longer pending."""
    rds, settings = site.cloud.client("rds", region), site.cloud.settings
    secret = names.secret(site.stack, "master")
    rds.modify_db_instance(
        DBInstanceIdentifier=instance,
        MasterUserPassword=dict(passwords(site, [secret]))[secret],
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
