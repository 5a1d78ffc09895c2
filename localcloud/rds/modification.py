"""ModifyDBInstance: what changes at once, what waits, what needs the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud import replication, roles
from localcloud.rds import (
    backups,
    describe,
    events,
    faults,
    group_values,
    log_groups,
    networks,
    storage,
    transitions,
    validation,
    windows,
)
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_STATES = {
    "available",
    "backing-up",
    "storage-optimization",
    "modifying",
    "incompatible-parameters",
}
_UNSIMULATED = (
    "NewDBInstanceIdentifier",
    "ManageMasterUserPassword",
    "RotateMasterUserPassword",
    "DBSubnetGroupName",
    "DBPortNumber",
    "Domain",
)
# Changed without a reboot and without waiting for a window, whatever ApplyImmediately says.
_AT_ONCE = (
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "PubliclyAccessible",
    "DatabaseInsightsMode",
)
_VOLUME = ("AllocatedStorage", "StorageType", "Iops", "StorageThroughput")
_CONVERTED = {
    True: " to convert to a Multi-AZ DB instance.",
    False: " to convert to a standard (Single-AZ) DB instance.",
}
_RESTARTING = ("DBInstanceClass",)


@operation("ModifyDBInstance")
def modify_db_instance(call: Call) -> Answer:
    """Change an instance: at once, beside the call, or pending until it is applied."""
    home = call.home
    instance = home.instance(call.need("DBInstanceIdentifier"))
    transitions.require(instance, _STATES, "modified")
    for name in _UNSIMULATED:
        if call.has(name) and call.get(name) is not False:
            raise faults.not_simulated("ModifyDBInstance", f"{name} is not offered.")
    at_once = _immediate(call, instance)
    waiting = _deferred(call, instance)
    group = _group(call, instance)
    secret = (
        validation.password(call.get("MasterUserPassword"))
        if call.has("MasterUserPassword")
        else None
    )
    if secret is not None and instance.source is not None:
        raise faults.invalid_combination(
            "The master user password of a read replica is that of its source."
        )
    # Nothing is refused from here on.
    instance.settings.update(at_once)
    backups.follow(home, instance, at_once)
    log_groups.ensure(home, instance)
    if group is not None:
        instance.parameter_group = group
        instance.parameter_status = "pending-reboot"
    instance.pending.update(waiting)
    if secret is not None:
        _reset_password(home, instance, secret)
    if call.get("ApplyImmediately", False) and _real(instance.pending):
        _apply_pending(home, instance)
    return {"DBInstance": describe.instance(home, instance)}


def _real(pending: dict[str, Any]) -> bool:
    return bool(set(pending) - {"MasterUserPassword"})


def _group(call: Call, instance: Instance) -> str | None:
    if not call.has("DBParameterGroupName"):
        return None
    name = group_values.find(call.home, call.get("DBParameterGroupName")).name
    return None if name == instance.parameter_group else name


def _immediate(call: Call, instance: Instance) -> dict[str, Any]:
    have = instance.settings
    changes: dict[str, Any] = {name: call.get(name) for name in _AT_ONCE if call.has(name)}
    backup = call.get("PreferredBackupWindow", have["PreferredBackupWindow"])
    maintenance = str(
        call.get("PreferredMaintenanceWindow", have["PreferredMaintenanceWindow"])
    ).lower()
    if call.has("PreferredBackupWindow") or call.has("PreferredMaintenanceWindow"):
        windows.check(backup, maintenance)
        changes["PreferredBackupWindow"] = backup
        changes["PreferredMaintenanceWindow"] = maintenance
    if call.has("VpcSecurityGroupIds"):
        vpc = call.home.subnet_groups[have["DBSubnetGroupName"]].vpc
        changes["VpcSecurityGroupIds"] = networks.security_groups(
            call.home, call.get("VpcSecurityGroupIds"), vpc
        )
    if call.has("MaxAllocatedStorage"):
        size = call.get("AllocatedStorage", have["AllocatedStorage"])
        storage.check_ceiling(int(size), call.get("MaxAllocatedStorage"))
        changes["MaxAllocatedStorage"] = call.get("MaxAllocatedStorage")
    if call.has("CloudwatchLogsExportConfiguration"):
        changes["EnabledCloudwatchLogsExports"] = _exports(call, have)
    if call.has("MonitoringInterval") or call.has("MonitoringRoleArn"):
        changes.update(validation.monitoring(call, have))
    if any(name.startswith(("PerformanceInsights", "EnablePerf")) for name in call.parameters):
        changes.update(validation.insights(call, have))
    changes.update(_retention(call, instance))
    return changes


def _exports(call: Call, have: dict[str, Any]) -> list[str]:
    change = call.get("CloudwatchLogsExportConfiguration")
    current = set(have["EnabledCloudwatchLogsExports"])
    current |= set(change.get("EnableLogTypes", []))
    current -= set(change.get("DisableLogTypes", []))
    return validation.log_exports(sorted(current))


def _retention(call: Call, instance: Instance) -> dict[str, Any]:
    if not call.has("BackupRetentionPeriod"):
        return {}
    days = validation.retention(call.get("BackupRetentionPeriod"))
    if days == 0 and call.home.replicas_of(instance):
        raise faults.invalid_combination(
            "Backup retention cannot be 0 on an instance that is a source of read replicas."
        )
    return {"BackupRetentionPeriod": days}


def _deferred(call: Call, instance: Instance) -> dict[str, Any]:
    have = {**instance.settings, **instance.pending}
    wanted: dict[str, Any] = {}
    if call.has("DBInstanceClass"):
        validation.instance_class(call.get("DBInstanceClass"))
        wanted["DBInstanceClass"] = call.get("DBInstanceClass")
    if call.has("EngineVersion"):
        offered = call.home.runtime.template.binaries.version
        wanted["EngineVersion"] = validation.engine_version(offered, call.get("EngineVersion"))
    if call.has("EnableIAMDatabaseAuthentication"):
        wanted["IAMDatabaseAuthenticationEnabled"] = call.get("EnableIAMDatabaseAuthentication")
    for name in ("MultiAZ", "CACertificateIdentifier"):
        if call.has(name):
            wanted[name] = call.get(name)
    if any(call.has(name) for name in _VOLUME):
        wanted.update(_volume(call, instance, have))
    _take_back(instance, wanted)
    return {name: value for name, value in wanted.items() if have.get(name) != value}


def _take_back(instance: Instance, wanted: dict[str, Any]) -> None:
    """Forget a pending change when what is there is asked for again."""
    for name, value in list(wanted.items()):
        if name in instance.pending and instance.settings.get(name) == value:
            del instance.pending[name]
            del wanted[name]


def _volume(call: Call, instance: Instance, have: dict[str, Any]) -> dict[str, Any]:
    size = int(call.get("AllocatedStorage", have["AllocatedStorage"]))
    storage.check_growth(instance.settings["AllocatedStorage"], size)
    kind = call.get("StorageType", have["StorageType"])
    if instance.status == "storage-optimization" and size != instance.settings["AllocatedStorage"]:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"Storage of {instance.identifier} is being optimised; it cannot be changed now.",
        )
    same = kind == have["StorageType"] and kind != "gp3"
    iops = call.get("Iops", have["Iops"] if same else None)
    asked = storage.Storage(kind, size, iops, call.get("StorageThroughput"))
    return {**storage.provisioned(asked)}


def _reset_password(home: Home, instance: Instance, secret: str) -> None:
    cluster = instance.need_cluster()
    before = instance.status
    instance.pending["MasterUserPassword"] = "****"  # what AWS shows instead

    def work() -> None:
        roles.set_password(cluster, instance.settings["MasterUsername"], secret)

    def done() -> None:
        instance.pending.pop("MasterUserPassword", None)
        events.add(home, instance, "Reset master credentials", "configuration change")
        if instance.status == "resetting-master-credentials":
            instance.status = "available"

    transitions.begin(
        home,
        instance,
        "modify",
        status="resetting-master-credentials",
        work=work,
        done=done,
        failure=before,
    )


def _apply_pending(home: Home, instance: Instance) -> None:
    changes = {
        name: value for name, value in instance.pending.items() if name != "MasterUserPassword"
    }
    cluster = instance.need_cluster()
    restart = any(name in changes for name in _RESTARTING)
    grown = "AllocatedStorage" in changes
    settings = {**instance.settings, **changes}
    parameters = _parameters_for(home, instance, settings) if restart else {}

    followers = group_values.followers(home, instance)

    def work() -> None:
        if restart:
            replication.raise_followers(followers, parameters)
            cluster.stop()
            cluster.configure(parameters)
            cluster.start()

    def done() -> None:
        instance.settings.update(changes)
        if "MultiAZ" in changes:
            _place_standby(home, instance)
        for name in changes:
            instance.pending.pop(name, None)
        if restart:
            instance.applied = parameters
            instance.parameter_status = "in-sync"
            events.add(home, instance, "DB instance restarted", "availability")
        suffix = _CONVERTED[changes["MultiAZ"]] if "MultiAZ" in changes else ""
        text = f"Finished applying modification{suffix}"
        events.add(home, instance, text, "configuration change")
        if grown:
            _optimise(home, instance)
        else:
            instance.status = "available"

    transitions.begin(home, instance, "modify", status="modifying", work=work, done=done)


def _parameters_for(home: Home, instance: Instance, settings: dict[str, Any]) -> dict[str, str]:
    before = instance.settings
    instance.settings = settings
    try:
        return group_values.for_instance(home, instance)
    finally:
        instance.settings = before


def _place_standby(home: Home, instance: Instance) -> None:
    group = home.subnet_groups[instance.settings["DBSubnetGroupName"]]
    own = instance.settings["AvailabilityZone"]
    others = [zone for zone in group.zones if zone != own]
    second = others[0] if instance.settings["MultiAZ"] and others else None
    if not instance.settings["MultiAZ"] or not instance.settings.get("SecondaryAvailabilityZone"):
        instance.settings["SecondaryAvailabilityZone"] = second


def _optimise(home: Home, instance: Instance) -> None:
    def done() -> None:
        instance.status = "available"

    transitions.begin(
        home, instance, "modify", status="storage-optimization", work=lambda: None, done=done
    )
