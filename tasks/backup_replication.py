"""RDS: automated backups of the primary, replicated to the recovery region."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.plan import Change
from haven.stack.backup_replication import BackupReplication
from haven.stack.resource import Found, Resource, differences
from tasks.instance_waits import after_backup
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, only

RETAINED = "retained"


@looks
def observe_backup_replication(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read the replicated backups that the recovery region holds of the primary."""
    rds = site.cloud.client("rds", region)
    found: dict[str, Found[Resource]] = {}
    for item in only(BackupReplication, wanted):
        answer = rds.describe_db_instance_automated_backups(DBInstanceIdentifier=item.name)
        for seen in answer["DBInstanceAutomatedBackups"]:
            if seen.get("Status") == RETAINED or seen.get("Region") == region:
                continue
            found[item.address] = Found(
                BackupReplication(
                    name=item.name,
                    region=region,
                    source_region=item.source_region,
                    source=seen["DBInstanceArn"],
                    retention_days=seen["BackupRetentionPeriod"],
                    key=seen.get("KmsKeyId", ""),
                ),
                seen["DBInstanceAutomatedBackupsArn"],
            )
    return found


@changes
def apply_backup_replication(
    site: Site,
    item: BackupReplication,
    _found: Found[BackupReplication] | None,
    _: Sequence[Change],
) -> Found[Resource]:
    """Start the replication, or start it again with another retention."""
    rds = site.client("rds", item)
    try:
        answer = after_backup(
            site,
            item.source_region,
            item.name,
            lambda: rds.start_db_instance_automated_backups_replication(
                SourceDBInstanceArn=item.source,
                BackupRetentionPeriod=item.retention_days,
                KmsKeyId=item.key,
                SourceRegion=item.source_region,
            ),
        )
    except ClientError:
        # Refused, and yet there as wanted: a request whose answer was lost has started it.
        seen = observe_backup_replication(site, item.region, [item]).get(item.address)
        if seen is None or differences(item, seen.resource):
            raise
        return seen
    return Found(item, answer["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"])


@changes
def delete_backup_replication(site: Site, found: Found[BackupReplication]) -> None:
    """Stop the replication and delete the copies."""
    rds = site.client("rds", found.resource)
    missing = ("DBInstanceAutomatedBackupNotFound", "DBInstanceNotFound")
    try:
        rds.stop_db_instance_automated_backups_replication(
            SourceDBInstanceArn=found.resource.source
        )
        rds.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=found.arn)
    except ClientError as error:
        if not is_code(error, *missing):
            raise
