"""The automated backups of this region's instances: made at birth, daily, and kept as long as asked."""

from __future__ import annotations

import datetime as dt
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from localcloud import archiving, backup, wal
from localcloud.archive import Base, Store
from localcloud.errors import ClusterError
from localcloud.kept import Kept
from localcloud.rds import backup_times, events, faults, log_groups, snapshots, transitions
from localcloud.rds.instance import Instance
from localcloud.rds.records import AutomatedBackup, Snapshot, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

# The first backup takes this part of what making the instance takes.
_BIRTH_SHARE = 0.2
_RETRY = 60.0
# RDS User Guide, "Retaining automated backups".
_MOST_RETAINED = 40


def become_available(home: Home, instance: Instance, kind: str) -> None:
    """Make the instance available, after a backup when it is kept any."""
    log_groups.ensure(home, instance)
    if wanted(instance):
        begin(home, instance, kind, share=_BIRTH_SHARE)
    else:
        instance.status = "available"


def wanted(instance: Instance) -> bool:
    """Tell whether backups are made of an instance: of primaries with days to keep them."""
    return bool(instance.settings["BackupRetentionPeriod"]) and not instance.source


def of(home: Home, instance: Instance) -> AutomatedBackup | None:
    """Return the backups of an instance, if there are any."""
    return home.automated_backups.get(instance.resource_id)


def latest(home: Home, instance: Instance) -> dt.datetime | None:
    """Return the latest moment an instance can be restored to."""
    found = of(home, instance)
    return found.store.latest if found else None


def archive_of(home: Home, instance: Instance) -> Path | None:
    """Return where an instance's WAL goes, making the place; nothing when none is kept.

    A replica archives nothing before it is promoted.
    """
    if not instance.settings["BackupRetentionPeriod"]:
        return None
    return ensure(home, instance).store.wal


def ensure(home: Home, instance: Instance) -> AutomatedBackup:
    """Return the record of an instance's backups, making it."""
    found = of(home, instance)
    if found is None:
        store = Store(home.runtime.backups / instance.resource_id)
        store.prepare(home.runtime.owner)
        found = AutomatedBackup(
            arn=home.arn("auto-backup", "ab-" + instance.resource_id.removeprefix("db-").lower()),
            region=home.region_name,
            instance_arn=instance.arn,
            identifier=instance.identifier,
            resource_id=instance.resource_id,
            instance_created=instance.created,
            settings=instance.settings,
            instance_tags=instance.tags,
            store=store,
            key=instance.settings.get("KmsKeyId"),
        )
        home.automated_backups[instance.resource_id] = found
    return found


def begin(home: Home, instance: Instance, kind: str = "snapshot", *, share: float = 1.0) -> None:
    """Make a base backup and an automated snapshot of it; the instance is ``backing-up``."""
    record = ensure(home, instance)
    clock = home.runtime.clock
    record.base_due = clock.monotonic() + _RETRY
    snapshot = _snapshot(home, instance)
    home.snapshots[snapshot.name] = snapshot
    events.add(home, instance, "Backing up DB instance", "backup")

    def work() -> None:
        try:
            _send_wal(home, instance, record.store.wal)
            taken = backup.take(instance.need_cluster(), snapshot.copy.directory)
            point = archiving.point(instance.need_cluster(), record.store.wal)
            # What was switched before the server heard of its archive is not there.
            wal.needed(record.store.names(), taken.first, point.segment)
        except BaseException:
            _abandon(home, snapshot)
            raise
        with home.runtime.lock:
            record.store.bases.append(Base(snapshot.copy, taken.first, taken.ended))
            record.store.add(point)

    def done() -> None:
        snapshot.status = "available"
        record.status = "active"
        record.base_due = _next(home, instance)
        record.wal_due = clock.monotonic() + backup_times.EVERY
        if instance.status == "backing-up":
            instance.status = "available"
        events.add(home, instance, "Finished DB Instance backup", "backup")

    transitions.begin(
        home,
        instance,
        kind,
        status="backing-up",
        work=work,
        done=done,
        failure="available",
        share=share,
    )


def _send_wal(home: Home, instance: Instance, place: Path | None) -> None:
    """Let both of a pair archive there, or nowhere."""
    with home.runtime.lock:
        pair = [instance.cluster, instance.standby.cluster]
    for cluster in pair:
        if cluster is not None and cluster.place.archive != place:
            cluster.move(archive=place)
            if cluster.running and not cluster.frozen:
                # One that is starting reads it by itself.
                with suppress(psycopg.OperationalError):
                    cluster.reload()


def _snapshot(home: Home, instance: Instance) -> Snapshot:
    moment = home.runtime.clock.now()
    while (name := f"rds:{instance.identifier}-{moment:%Y-%m-%d-%H-%M}") in home.snapshots:
        moment += dt.timedelta(minutes=1)
    directory = home.runtime.backups / instance.resource_id / secrets.token_hex(8)
    return Snapshot(
        name=name,
        arn=home.arn("snapshot", name),
        instance=instance.identifier,
        resource_id=instance.resource_id,
        instance_created=instance.created,
        settings=dict(instance.settings),
        copy=Kept(directory),
        tags=snapshots.copied_tags(instance),
        created=now(),
        kind="automated",
    )


def _abandon(home: Home, snapshot: Snapshot) -> None:
    with home.runtime.lock:
        home.snapshots.pop(snapshot.name, None)
    snapshot.copy.discard()


def follow(home: Home, instance: Instance, changed: dict[str, Any]) -> None:
    """Do what a change of the instance's settings means for its backups."""
    record = of(home, instance)
    if not wanted(instance):
        end(home, instance)
    elif record is None:
        if instance.status == "available":
            begin(home, instance)
    elif "PreferredBackupWindow" in changed:
        record.base_due = _next(home, instance)


def _next(home: Home, instance: Instance) -> float:
    clock = home.runtime.clock
    window = instance.settings["PreferredBackupWindow"]
    return clock.monotonic() + backup_times.until_window(clock.now(), window)


def retain(home: Home, instance: Instance) -> None:
    """Keep the backups of an instance that is deleted, with all that can still be archived."""
    record = of(home, instance)
    cluster = instance.cluster
    if record is None or not record.store.bases:
        end(home, instance)
        return
    if cluster is not None and cluster.running and not cluster.frozen:
        # A server that is in no state to is deleted all the same.
        with suppress(ClusterError, psycopg.Error):
            point = archiving.point(cluster, record.store.wal)
            with home.runtime.lock:
                record.store.add(point)
    record.status = "retained"


def check_retained(home: Home) -> None:
    """Raise the fault when as many backups of deleted instances are kept as may be."""
    kept = [found for found in home.automated_backups.values() if found.status == "retained"]
    if len(kept) >= _MOST_RETAINED:
        raise faults.Fault(
            "DBInstanceAutomatedBackupQuotaExceeded",
            f"At most {_MOST_RETAINED} automated backups are retained.",
        )


def end(home: Home, instance: Instance) -> None:
    """Make no more backups of an instance and remove those there are."""
    found = home.automated_backups.pop(instance.resource_id, None)
    if found is None:
        return
    cluster = instance.cluster
    if cluster is not None and not instance.gone:
        _send_wal(home, instance, None)
    remove(home, found)


def remove(home: Home, record: AutomatedBackup) -> None:
    """Remove backups with their snapshots."""
    for snapshot in list(home.snapshots.values()):
        if snapshot.kind == "automated" and snapshot.resource_id == record.resource_id:
            home.snapshots.pop(snapshot.name)
            snapshot.copy.discard()
    record.store.remove()
