"""RDS: restoring a backup to an instance of its own, and removing that again, behind guards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Refused
from haven.stack.instance import Instance
from haven.stack.resource import Found
from haven.verification.guard import Candidate, Made, is_scratch_name, why_not_delete
from haven.waiting import Wait, wait_for
from tasks.instance_waits import FATAL, SERVING, describe
from tasks.instances import EXISTS, MISSING, delete_instance, outputs_of
from tasks.kinds import changes, looks
from tasks.site import Site, as_list, as_map

# How far this machine's clock and AWS's may be apart.
CLOCKS_APART = timedelta(minutes=10)
# What a restore ends in when the backup itself cannot be restored (RDS User Guide, "Viewing DB
# instance status").
BROKEN = frozenset({"failed", "restore-error", "incompatible-restore"})


@dataclass(frozen=True, slots=True)
class Origin:
    """What is restored: a snapshot, or a moment of an automated backup; its latest if there is none.

    ``backup`` is the ARN of a backup that was copied to the region, empty for the instance's own.
    """

    snapshot: str = ""
    resource_id: str = ""
    backup: str = ""
    moment: datetime | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored instance: its status, its engine version, and what others may ask of it."""

    status: str
    version: str
    outputs: Mapping[str, str]


@looks
def observe_candidates(site: Site, region: str) -> list[Candidate]:
    """Return every instance of a region whose name is that of a scratch copy of the stack."""
    rds = site.cloud.client("rds", region)
    pages = rds.get_paginator("describe_db_instances").paginate()
    return [
        _candidate(item, proxied=False)
        for page in pages
        for item in page["DBInstances"]
        if is_scratch_name(site.stack, item["DBInstanceIdentifier"])
    ]


@changes
def restore(site: Site, instance: Instance, origin: Origin, tags: Mapping[str, str]) -> Made:
    """Ask for an instance with the content of a backup; what is known of it is returned.

    The name is the run's own: one that is there already was made by a request whose answer was lost.
    """
    rds = site.client("rds", instance)
    since = datetime.now(UTC) - CLOCKS_APART
    arguments = {**_arguments(instance), "Tags": as_list(tags)}
    try:
        if origin.snapshot:
            rds.restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=instance.name,
                DBSnapshotIdentifier=origin.snapshot,
                **arguments,
            )
        else:
            rds.restore_db_instance_to_point_in_time(
                TargetDBInstanceIdentifier=instance.name, **_source(origin), **arguments
            )
    except ClientError as error:
        if not is_code(error, *EXISTS):
            raise
    item = describe(rds, instance.name)
    return Made(instance.name, instance.region, item["DbiResourceId"], since)


def _source(origin: Origin) -> dict[str, Any]:
    source: dict[str, Any] = (
        {"SourceDBInstanceAutomatedBackupsArn": origin.backup}
        if origin.backup
        else {"SourceDbiResourceId": origin.resource_id}
    )
    if origin.moment is None:
        return source | {"UseLatestRestorableTime": True}
    return source | {"RestoreTime": origin.moment}


def _arguments(instance: Instance) -> dict[str, Any]:
    """Everything that is not to be as it was at the source (RDS User Guide, "Restoring")."""
    return {
        "DBInstanceClass": instance.instance_class,
        "DBSubnetGroupName": instance.subnet_group,
        "VpcSecurityGroupIds": list(instance.security_groups),
        "DBParameterGroupName": instance.parameter_group,
        "Port": instance.port,
        "MultiAZ": False,
        "PubliclyAccessible": False,
        "DeletionProtection": False,
        "AutoMinorVersionUpgrade": False,
        "CopyTagsToSnapshot": False,
        "EnableCloudwatchLogsExports": [],
        "BackupRetentionPeriod": 0,
        "CACertificateIdentifier": instance.ca_certificate,
        "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    }


@looks
def wait_restored(site: Site, instance: Instance) -> Restored:
    """Wait until a restored instance serves, or is one of ``BROKEN``, and return it.

    Raises ``Failed`` for what is not the backup's fault, such as a lack of capacity.
    """
    rds, settings = site.client("rds", instance), site.cloud.settings
    item = wait_for(
        Wait(
            what=f"{instance.address} to be restored",
            probe=lambda: describe(rds, instance.name),
            reached=lambda item: item["DBInstanceStatus"] in BROKEN or _serves(item),
            fatal=lambda item: (
                item["DBInstanceStatus"] if item["DBInstanceStatus"] in FATAL else None
            ),
            interval=settings.interval,
            deadline=settings.deadline,
            describe=lambda item: str(item["DBInstanceStatus"]),
        )
    )
    return Restored(item["DBInstanceStatus"], item["EngineVersion"], outputs_of(item))


def _serves(item: dict[str, Any]) -> bool:
    return item["DBInstanceStatus"] in SERVING and "Endpoint" in item


@changes
def delete_scratch(site: Site, instance: Instance, made: Made) -> bool:
    """Delete a scratch copy; look once more right before whether it is one. Tell if it was there.

    Raises ``Refused`` with every reason why an instance must not be deleted.
    """
    rds = site.client("rds", instance)
    try:
        item = describe(rds, made.name)
    except ClientError as error:
        if is_code(error, *MISSING):
            return False
        raise
    found = _candidate(item, proxied=made.name in _proxied(rds))
    reasons = why_not_delete(site.stack, found, made)
    if reasons:
        raise Refused(
            f"{made.name} in {made.region} is not deleted: {'; '.join(reasons)}.",
            left="It was not touched.",
            cure="Look what it is. If it is a scratch copy, delete it by hand.",
        )
    named = replace(instance, name=made.name, region=made.region, status=found.status)
    delete_instance(site, Found(named, found.arn))
    return True


def _proxied(rds: Any) -> set[str]:
    """Return the instances that proxies of the region lead to."""
    pages = rds.get_paginator("describe_db_proxies").paginate()
    proxies = [item["DBProxyName"] for page in pages for item in page["DBProxies"]]
    return {
        target.get("RdsResourceId", "")
        for name in proxies
        for target in rds.describe_db_proxy_targets(DBProxyName=name)["Targets"]
    }


def _candidate(item: dict[str, Any], *, proxied: bool) -> Candidate:
    return Candidate(
        name=item["DBInstanceIdentifier"],
        arn=item["DBInstanceArn"],
        resource_id=item["DbiResourceId"],
        status=item["DBInstanceStatus"],
        created=item.get("InstanceCreateTime"),
        tags=as_map(item.get("TagList")),
        protected=item["DeletionProtection"],
        source=item.get("ReadReplicaSourceDBInstanceIdentifier", ""),
        replicas=tuple(item.get("ReadReplicaDBInstanceIdentifiers", ())),
        proxied=proxied,
        backup_days=item["BackupRetentionPeriod"],
    )
