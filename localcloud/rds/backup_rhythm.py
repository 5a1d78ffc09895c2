"""What automated backups need as time passes: WAL handed over, a base a day, the old removed."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING

from moto.rds.models import rds_backends

from localcloud import archive, archiving
from localcloud.rds import backup_replication, backup_times, backups
from localcloud.rds.instance import Instance
from localcloud.rds.records import AutomatedBackup
from localcloud.runtime import Runtime

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_RETRY = 5.0
_LIMIT = 30.0
_POLL = 0.01


def tend(home: Home, instance: Instance) -> None:
    """Begin what is due now. Call under the runtime's lock."""
    if not backups.wanted(instance):
        return
    record = backups.of(home, instance)
    present = home.runtime.clock.monotonic()
    if instance.status == "available" and (record is None or present >= record.base_due):
        backups.begin(home, instance)
    elif record is not None and _wal_due(home, instance, record):
        _hand_over(home, instance, record)
    if record is not None:
        expire(home, record)


def _wal_due(home: Home, instance: Instance, record: AutomatedBackup) -> bool:
    cluster = instance.cluster
    if record.busy or not record.store.bases or not instance.serving:
        return False
    if cluster is None or not cluster.running or cluster.frozen:
        return False
    return home.runtime.clock.monotonic() >= record.wal_due


def _hand_over(home: Home, instance: Instance, record: AutomatedBackup) -> None:
    record.busy = True

    def work() -> None:
        point = archiving.point(instance.need_cluster(), record.store.wal)
        with home.runtime.lock:
            if backups.of(home, instance) is record:
                record.store.add(point)

    def done() -> None:
        record.wal_due = home.runtime.clock.monotonic() + backup_times.EVERY
        record.busy = False

    def failed(_: BaseException) -> None:
        record.wal_due = home.runtime.clock.monotonic() + _RETRY
        record.busy = False

    home.runtime.lifecycle.begin("snapshot", work, done, failed, share=0.0)


def tend_copies(home: Home) -> None:
    """See to what has no instance in a region. Call under the runtime's lock."""
    for copy in list(home.replicated_backups.values()):
        backup_replication.tend(home, copy)
        expire(home, copy)
    for table in (home.automated_backups, home.replicated_backups):
        for key, record in list(table.items()):
            if record.status == "retained":
                expire(home, record)
                if _outlived(home, record):
                    del table[key]
                    backups.remove(home, record)


def _outlived(home: Home, record: AutomatedBackup) -> bool:
    """Tell whether even the last base is older than it is to be kept."""
    bases = record.store.bases
    return not bases or home.runtime.clock.at(bases[-1].ended) < _oldest(home, record)


def _oldest(home: Home, record: AutomatedBackup) -> dt.datetime:
    return home.runtime.clock.now() - dt.timedelta(days=record.days)


def expire(home: Home, record: AutomatedBackup) -> None:
    """Remove what is older than it is to be kept, by the service clock."""
    clock = home.runtime.clock
    oldest = _oldest(home, record)
    for base in archive.expired(record.store.bases, oldest, clock.at):
        archive.forget(record.store, base)
        for snapshot in list(home.snapshots.values()):
            if snapshot.copy is base.copy:
                home.snapshots.pop(snapshot.name)


def keep_pace(runtime: Runtime) -> None:
    """After the clock was moved: return when the WAL that became due is in the archives."""
    end = time.monotonic() + _LIMIT
    pause = threading.Event()
    while time.monotonic() < end:
        with runtime.lock:
            open_ones = [
                record
                for account in list(rds_backends.values())
                for home in list(account.values())
                for instance in list(home.instances.values())
                if (record := _open(home, instance)) is not None
            ]
            open_ones += [
                copy
                for account in list(rds_backends.values())
                for home in list(account.values())
                for copy in home.replicated_backups.values()
                if copy.status == "replicating"
                and (copy.busy or backup_replication.behind(home, copy))
            ]
        if not open_ones:
            return
        pause.wait(_POLL)


def _open(home: Home, instance: Instance) -> AutomatedBackup | None:
    """Return the backups of an instance while WAL is due or handed over."""
    record = backups.of(home, instance)
    if record is None or not backups.wanted(instance) or instance.gone:
        return None
    if _wal_due(home, instance, record):
        _hand_over(home, instance, record)
    return record if record.busy else None
