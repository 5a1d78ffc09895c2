"""RestoreDBInstanceToPointInTime: a new instance as another was at a moment."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING

from localcloud import archive, recovery
from localcloud.archive import OutsideWindowError, Plan
from localcloud.cluster import Cluster
from localcloud.rds import describe, faults, inheritance, keys, restoring, validation
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import AutomatedBackup
from localcloud.recovery import Material
from localcloud.wal import MissingWalError

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_SOURCES = (
    "SourceDBInstanceIdentifier",
    "SourceDbiResourceId",
    "SourceDBInstanceAutomatedBackupsArn",
)


@operation("RestoreDBInstanceToPointInTime")
def restore_db_instance_to_point_in_time(call: Call) -> Answer:
    """Make an instance of automated backups; the answer comes at once, the cluster follows."""
    home = call.home
    name = validation.identifier(
        call.need("TargetDBInstanceIdentifier"), "TargetDBInstanceIdentifier"
    )
    record = _source(call)
    moment = _moment(call)
    plan = _plan(record, moment)
    instance = inheritance.restored(
        call,
        name,
        record.settings,
        key=record.key and keys.key_arn(home, record.key),
        tags=record.instance_tags,
    )
    shown = moment or record.store.latest
    text = f"Restored from DB instance {record.identifier} to {shown:%Y-%m-%d %H:%M:%S}."
    restoring.launch(home, instance, _fill(home, record, plan), text)
    return {"DBInstance": describe.instance(home, instance)}


def _source(call: Call) -> AutomatedBackup:
    given = [name for name in _SOURCES if call.has(name)]
    if len(given) != 1:
        raise faults.invalid_combination(f"Exactly one of {', '.join(_SOURCES)} has to be given.")
    value = str(call.get(given[0]))
    if given[0] == "SourceDBInstanceIdentifier":
        return _of_instance(call.home, value)
    field = "resource_id" if given[0] == "SourceDbiResourceId" else "arn"
    for record in _here(call.home):
        if getattr(record, field) == value:
            return record
    raise faults.no_automated_backup(value)


def _here(home: Home) -> list[AutomatedBackup]:
    return [*home.automated_backups.values(), *home.replicated_backups.values()]


def _of_instance(home: Home, identifier: str) -> AutomatedBackup:
    instance = home.instance(identifier)
    if instance.source is not None:
        raise faults.not_simulated(
            "RestoreDBInstanceToPointInTime", "A read replica has no backups of its own."
        )
    found = home.automated_backups.get(instance.resource_id)
    if found is None or not instance.settings["BackupRetentionPeriod"]:
        raise faults.Fault(
            "PointInTimeRestoreNotEnabled",
            f"Point in time restore is not enabled for {instance.identifier}: "
            "it has no automated backups.",
        )
    return found


def _moment(call: Call) -> dt.datetime | None:
    """Return the moment asked for; nothing for the latest."""
    newest = bool(call.get("UseLatestRestorableTime", False))
    if newest == call.has("RestoreTime"):
        raise faults.invalid_combination(
            "Exactly one of RestoreTime and UseLatestRestorableTime has to be given."
        )
    if newest:
        return None
    value = call.get("RestoreTime")
    found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _plan(record: AutomatedBackup, moment: dt.datetime | None) -> Plan | MissingWalError:
    """Return what to restore from. Lost WAL is no fault of the call: the restore meets it."""
    if record.store.latest is None:
        raise faults.Fault(
            "InvalidDBInstanceState", f"{record.identifier} has no automated backup yet."
        )
    try:
        return archive.plan(record.store, moment)
    except OutsideWindowError as error:
        raise faults.invalid_value(
            f"The specified instance cannot be restored to a time {error}."
        ) from None
    except MissingWalError as error:
        return error


def _fill(home: Home, record: AutomatedBackup, plan: Plan | MissingWalError) -> restoring.Fill:
    runtime = home.runtime
    if isinstance(plan, MissingWalError):
        lost = plan

        def fail(_: Cluster, __: dict[str, str]) -> None:
            raise lost

        return fail
    place = runtime.backups / f"restore-{secrets.token_hex(8)}"
    material = Material(plan, record.store.wal, place, runtime.owner)

    def fill(cluster: Cluster, parameters: dict[str, str]) -> None:
        try:
            recovery.run(material, cluster, parameters, lambda: runtime.latency.passes)
        finally:
            material.release()

    return fill
