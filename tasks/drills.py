"""RDS: what a drill needs of scratch copies besides their being there, and taking it off again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Refused
from haven.stack import names
from haven.stack.proxy import Proxy
from haven.verification.guard import ROLE, is_scratch_name
from tasks.instance_waits import READY, after_backup, wait_status
from tasks.instances import MISSING
from tasks.kinds import changes, looks
from tasks.site import Site, as_map


@changes
def keep_backups(site: Site, region: str, name: str, *, days: int) -> None:
    """Let a scratch copy have automated backups of so many days, or none; a gone one is left.

    Raises ``Refused`` for any other instance.
    """
    if not is_scratch_name(site.stack, name):
        raise Refused(f"{name} is no scratch copy.", left="It was not touched.")
    rds = site.cloud.client("rds", region)
    try:
        after_backup(
            site,
            region,
            name,
            lambda: rds.modify_db_instance(
                DBInstanceIdentifier=name, BackupRetentionPeriod=days, ApplyImmediately=True
            ),
        )
    except ClientError as error:
        if is_code(error, *MISSING):
            return
        raise
    wait_status(
        site, region, name, READY, settled=lambda item: item["BackupRetentionPeriod"] == days
    )


@looks
def leftover_proxies(site: Site, model: Proxy) -> list[Proxy]:
    """Return the proxies of drills in a region, as ``model`` but for their names."""
    return [replace(model, name=name, role=ROLE) for name in _names(site, model.region)]


def _names(site: Site, region: str) -> Iterator[str]:
    rds = site.cloud.client("rds", region)
    for page in rds.get_paginator("describe_db_proxies").paginate():
        for item in page["DBProxies"]:
            if is_scratch_name(site.stack, item["DBProxyName"]):
                tags = as_map(
                    rds.list_tags_for_resource(ResourceName=item["DBProxyArn"])["TagList"]
                )
                if tags.get(names.TAG_STACK) == site.stack.prefix:
                    yield item["DBProxyName"]
