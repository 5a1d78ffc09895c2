"""Automated backups replicated into another region: the bases and the WAL are copied there."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING

from localcloud import archive_copy
from localcloud.archive import Store
from localcloud.rds import automated_backups, backups, faults, keys, validation
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import AutomatedBackup

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_MOST = 20


def _source(call: Call) -> tuple[str, Instance]:
    arn = str(call.need("SourceDBInstanceArn"))
    if not arn.startswith("arn:"):
        raise faults.invalid_value(f"Invalid resource name: {arn}")
    region = arn.split(":")[3]
    if region == call.home.region_name:
        raise faults.invalid_value(
            "The source DB instance is in this region; call in the destination region."
        )
    return region, call.home.elsewhere(region).instance(arn)


@operation("StartDBInstanceAutomatedBackupsReplication")
def start_replication(call: Call) -> Answer:
    """Replicate an instance's backups into the region of the call."""
    home = call.home
    region, source = _source(call)
    _check(home, source)
    name = "ab-" + secrets.token_hex(13)
    store = Store(home.runtime.backups / name)
    store.prepare(home.runtime.owner)
    copy = AutomatedBackup(
        arn=home.arn("auto-backup", name),
        region=region,
        instance_arn=source.arn,
        identifier=source.identifier,
        resource_id=source.resource_id,
        instance_created=source.created,
        settings=source.settings,
        instance_tags=source.tags,
        store=store,
        key=_key(call, source),
        retention=validation.retention(call.get("BackupRetentionPeriod", 7)),
        status="pending",
        tags=list(call.get("Tags", [])),
    )
    home.replicated_backups[copy.arn] = copy
    _begin(home, copy, "replica")
    return {"DBInstanceAutomatedBackup": automated_backups.shown(home, copy)}


def _check(home: Home, source: Instance) -> None:
    if not source.settings["BackupRetentionPeriod"]:
        raise faults.Fault(
            "InvalidDBInstanceState",
            f"Automated backups are not enabled for {source.identifier}.",
        )
    if any(copy.resource_id == source.resource_id for copy in home.replicated_backups.values()):
        raise faults.invalid_value(
            f"Automated backups of {source.arn} are already replicated to {home.region_name}."
        )
    if len(home.replicated_backups) >= _MOST:
        raise faults.Fault("DBInstanceAutomatedBackupQuotaExceeded", f"At most {_MOST} per region.")


def _key(call: Call, source: Instance) -> str | None:
    if not source.settings["StorageEncrypted"]:
        return None
    if not call.has("KmsKeyId"):
        raise faults.invalid_combination(
            "Replicating the backups of an encrypted instance needs KmsKeyId: a key of the "
            "destination region."
        )
    return keys.key_arn(call.home, call.get("KmsKeyId"))


def source_of(home: Home, copy: AutomatedBackup) -> AutomatedBackup | None:
    """Return what is replicated, as long as it is there."""
    return home.elsewhere(copy.region).automated_backups.get(copy.resource_id)


def behind(home: Home, copy: AutomatedBackup) -> bool:
    """Tell whether the source has what the copy has not."""
    source = source_of(home, copy)
    if source is None:
        return False
    newest: dt.datetime | None = source.store.latest
    return newest is not None and copy.store.latest != newest


def _lives(home: Home, copy: AutomatedBackup) -> bool:
    instances = home.elsewhere(copy.region).instances
    found = instances.get(copy.identifier)
    return found is not None and found.resource_id == copy.resource_id


def tend(home: Home, copy: AutomatedBackup) -> None:
    """Copy what is new, as long as the instance is there. Call under the runtime's lock."""
    if copy.status == "replicating" and not _lives(home, copy):
        copy.status = "retained"
    if copy.status == "replicating" and not copy.busy and behind(home, copy):
        _begin(home, copy, "replica", share=0.0)


def _begin(home: Home, copy: AutomatedBackup, kind: str, *, share: float = 1.0) -> None:
    copy.busy = True

    def work() -> None:
        source = source_of(home, copy)
        if source is not None:
            archive_copy.bring(source.store, copy.store, home.runtime.owner, home.runtime.lock)

    def done() -> None:
        with home.runtime.lock:
            copy.busy = False
            if copy.arn in home.replicated_backups:
                copy.status = "replicating"
            else:
                copy.store.remove()

    def failed(_: BaseException) -> None:
        done()

    home.runtime.lifecycle.begin(kind, work, done, failed, share=share)


@operation("StopDBInstanceAutomatedBackupsReplication")
def stop_replication(call: Call) -> Answer:
    """End the replication and remove what was replicated."""
    home = call.home
    arn = str(call.need("SourceDBInstanceArn"))
    for copy in list(home.replicated_backups.values()):
        if copy.instance_arn == arn and copy.status != "retained":
            answer = automated_backups.shown(home, copy)
            del home.replicated_backups[copy.arn]
            backups.remove(home, copy)
            return {"DBInstanceAutomatedBackup": answer}
    raise faults.Fault("DBInstanceNotFound", f"The backups of {arn} are not replicated here.")
