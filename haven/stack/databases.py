"""Instances, their parameter groups, proxies and backup replication of a stack."""

from __future__ import annotations

from typing import Any

from haven.stack import names
from haven.stack.backup_replication import BackupReplication
from haven.stack.instance import Instance
from haven.stack.layout import FIRST_EPOCH, PRIMARY, RECOVERY_REPLICA, REPLICA
from haven.stack.model import Stack
from haven.stack.parameter_group import ParameterGroup
from haven.stack.proxy import Proxy, ProxyTarget
from haven.stack.resource import Resource
from haven.stack.secret import Secret
from haven.stack.sides import Side

# Statements and their parameters hold patient data: errors and slow statements are logged
# without them (PostgreSQL, "Error reporting and logging").
COMMON_PARAMETERS = {
    "log_lock_waits": "1",
    "log_min_duration_statement": "1000",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "password_encryption": "scram-sha-256",
    "pg_stat_statements.track": "top",
    "rds.force_ssl": "1",
    "shared_preload_libraries": "pg_stat_statements",
    # Without it nobody could tell what was written to a restored copy after it was restored.
    "track_commit_timestamp": "1",
}
# Any replica may be the primary tomorrow: what one of them needs, all of them have, so that a
# promotion costs no reboot. A replica that cannot be reached makes WAL pile up: up to here (MiB).
EITHER_PARAMETERS = {
    "hot_standby_feedback": "1",
    "max_slot_wal_keep_size": "51200",
    "max_standby_streaming_delay": "300000",
}
# The step that makes the roles in the database; it is not an AWS resource.
ROLES = "database roles"


def parameter_groups(stack: Stack) -> dict[str, ParameterGroup]:
    """Describe the groups of the first primary, the replicas beside it and the one far away.

    They stay where they were made, wherever the primary is by now.
    """
    home, away = stack.region, stack.recovery_region
    if stack.layout.swapped:
        home, away = away, home
    regions = {"primary": home, "replica": home, "dr": away}
    return {use: _group(stack, use, region) for use, region in regions.items()}


def _group(stack: Stack, use: str, region: str) -> ParameterGroup:
    major = stack.database.engine_version.split(".")[0]
    own = {"max_connections": str(stack.database.max_connections)} | stack.database.parameters
    return ParameterGroup(
        name=f"{stack.prefix}-{use}-postgres{major}",
        region=region,
        role=use,
        description=f"Parameters of the {use} of {stack.prefix}",
        family=f"postgres{major}",
        parameters=tuple(sorted((COMMON_PARAMETERS | EITHER_PARAMETERS | own).items())),
    )


def group_of(stack: Stack, side: Side, name: str) -> ParameterGroup:
    """Return the group that an instance of a name has on a side, as it had when it was made."""
    groups = parameter_groups(stack)
    if side.region == groups["dr"].region:
        return groups["dr"]
    return groups["primary" if name == names.first_primary(stack) else "replica"]


def primary(stack: Stack, side: Side, monitoring_role: str, master: Secret) -> Instance:
    """Describe the primary."""
    return Instance(
        **_common(stack, side, names.primary(stack), monitoring_role),
        name=names.primary(stack),
        role=PRIMARY,
        marks=_marks(stack),
        master_secret=master.name,
        after=(master.address, f"log-group/{side.region}/{log_group(names.primary(stack))}"),
        instance_class=stack.database.instance_class,
        database=stack.database.name,
        master_username=stack.database.master_username,
        multi_az=stack.database.multi_az,
        backup_retention_days=stack.backups.retention_days,
        backup_window=stack.backups.window,
    )


def _marks(stack: Stack) -> tuple[tuple[str, str], ...]:
    """Instances of the first epoch have none on them: they are those of the file."""
    epoch = stack.layout.epoch
    return () if epoch == FIRST_EPOCH else ((names.TAG_EPOCH, str(epoch)),)


def replica(
    stack: Stack,
    side: Side,
    monitoring_role: str,
    source: Instance,
    name: str,
    zone: str,
) -> Instance:
    """Describe a read replica; backups stay with the primary until one is promoted."""
    return Instance(
        **_common(stack, side, name, monitoring_role),
        name=name,
        role=RECOVERY_REPLICA if side.recovery else REPLICA,
        marks=_marks(stack),
        source=source.output("arn"),
        after=(f"log-group/{side.region}/{log_group(name)}",),
        instance_class=stack.replicas.instance_class,
        database="",
        master_username="",
        zone=zone,
        multi_az=False,
        backup_retention_days=0,
        backup_window="",
    )


def _common(stack: Stack, side: Side, name: str, monitoring_role: str) -> dict[str, Any]:
    group = group_of(stack, side, name)
    database, storage = stack.database, stack.storage
    return {
        "region": side.region,
        "subnet_group": side.subnet_group.output("name"),
        "engine_version": database.engine_version,
        "port": database.port,
        "storage_type": storage.type,
        "allocated_gib": storage.allocated_gib,
        "max_allocated_gib": storage.max_allocated_gib,
        "iops": storage.iops,
        "key": side.key_arn,
        "security_groups": (side.database_group.output("id"),),
        "parameter_group": group.output("name"),
        "maintenance_window": stack.backups.maintenance_window,
        "deletion_protection": database.deletion_protection,
        "auto_minor_upgrade": database.auto_minor_upgrade,
        "monitoring_interval": database.monitoring_interval,
        "monitoring_role": monitoring_role if database.monitoring_interval else "",
        "performance_insights_days": database.performance_insights_days,
        "log_exports": ("postgresql",),
        "ca_certificate": database.ca_certificate,
    }


def log_group(instance: str) -> str:
    """Return the name of the log group that RDS writes an instance's log to."""
    return f"/aws/rds/instance/{instance}/postgresql"


def proxy(stack: Stack, side: Side, iam_role: str, secrets: tuple[str, ...]) -> Proxy:
    """Describe a region's proxy; a proxy serves its own network only."""
    return Proxy(
        name=f"{stack.prefix}-proxy",
        region=side.region,
        role="proxy",
        subnets_of=side.subnet_group.output("subnets"),
        vpc=side.subnet_group.output("vpc"),
        iam_role=iam_role,
        security_groups=(side.proxy_group.output("id"),),
        secrets=secrets,
        idle_client_seconds=stack.proxy.idle_client_seconds,
        max_connections_percent=stack.proxy.max_connections_percent,
        max_idle_percent=stack.proxy.max_idle_percent,
        borrow_timeout_seconds=stack.proxy.borrow_timeout_seconds,
    )


def target(of: Proxy, instance: Instance) -> ProxyTarget:
    """Describe what a proxy follows: the writer, never a replica.

    A proxy logs in to its target, so the roles in the database come first.
    """
    return ProxyTarget(
        name=of.name,
        region=of.region,
        role="proxy-target",
        after=(ROLES,),
        proxy=of.output("name"),
        instance=instance.output("name"),
    )


def backup_replication(stack: Stack, source: Instance, recovery: Side) -> BackupReplication:
    """Describe the copies of automated backups in the recovery region."""
    return BackupReplication(
        name=source.name,
        region=recovery.region,
        role="backup-replication",
        source_region=source.region,
        source=source.output("arn"),
        retention_days=stack.backups.retention_days,
        key=recovery.key_arn,
    )


def everything(
    stack: Stack, home: Side, recovery: Side, monitoring_role: str, master: Secret
) -> tuple[Instance, tuple[Resource, ...]]:
    """Describe the primary, and all instances with their parameter groups and backup copies."""
    groups = parameter_groups(stack)
    writer = primary(stack, home, monitoring_role, master)
    readers = [
        replica(
            stack,
            home,
            monitoring_role,
            writer,
            names.replica(stack, number),
            zone,
        )
        for number, zone in enumerate(stack.replica_zones, start=1)
    ]
    readers.append(
        replica(
            stack,
            recovery,
            monitoring_role,
            writer,
            names.recovery_replica(stack),
            stack.replicas.recovery_zone or "",
        )
    )
    copies = backup_replication(stack, writer, recovery)
    return writer, (*groups.values(), writer, *readers, copies)
