"""RDS: exporting a snapshot to S3, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from haven.errors import Failed
from haven.export.manifest import ExportedTable, Stored
from haven.export.snapshot_task import (
    AT_WORK,
    COMPLETE,
    ENDED,
    INFO,
    PARQUET,
    Told,
    folder_of,
    task_name,
    told,
)
from haven.waiting import Wait, wait_for
from tasks.export_objects import digest_of, open_parquet
from tasks.export_store import Store, get, sizes
from tasks.kinds import changes, looks
from tasks.site import Site

# RDS restores the snapshot behind the scenes; a large one takes most of a day.
LIMIT_S = 24 * 3600.0
ATTEMPTS = 9


@dataclass(frozen=True, slots=True)
class Wish:
    """Which snapshot is exported, as which export, by which role."""

    stack: str
    export: str
    snapshot: str
    role: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that is complete: where its objects lie, its warning, its snapshot and when that was."""

    name: str
    place: str
    warning: str
    source: str
    taken_at: datetime


@changes
def start_export(site: Site, store: Store, wish: Wish) -> str:
    """Ask RDS to export a snapshot, unless it does or did; return the name of the task.

    A task that failed or was cancelled keeps its name for ever, so the next attempt has another.
    While one is being cancelled, RDS takes no other of the same snapshot; that is waited for.
    """
    rds = site.cloud.client("rds", site.stack.region)
    for attempt in range(1, ATTEMPTS + 1):
        name = task_name(wish.stack, wish.export, wish.snapshot, attempt)
        status = _status(rds, name)
        if status in AT_WORK or status == COMPLETE:
            return name
        if not status:
            rds.start_export_task(
                ExportTaskIdentifier=name,
                SourceArn=wish.snapshot,
                S3BucketName=store.target.bucket,
                S3Prefix=store.place.rstrip("/"),
                IamRoleArn=wish.role,
                KmsKeyId=store.target.kms_key,
            )
            return name
    raise Failed(
        f"RDS failed to export {wish.snapshot} {ATTEMPTS} times.",
        left="The objects of those attempts stay; none of them has a manifest.",
        cure="Look at the export tasks of the account, or give the export another name.",
    )


def _status(rds: Any, name: str) -> str:
    """Return the status of a task; empty where there is none, for which a filter knows no error."""
    answer = rds.describe_export_tasks(
        Filters=[{"Name": "export-task-identifier", "Values": [name]}]
    )
    return next((str(item["Status"]) for item in answer["ExportTasks"]), "")


@looks
def wait_export(site: Site, name: str) -> Ended:
    """Wait until a task is over. Raises ``Failed`` when it failed or was cancelled."""
    rds, settings = site.cloud.client("rds", site.stack.region), site.cloud.settings
    item = wait_for(
        Wait(
            what=f"the export task {name} to end",
            probe=lambda: rds.describe_export_tasks(ExportTaskIdentifier=name)["ExportTasks"][0],
            reached=lambda item: item["Status"] in ENDED,
            fatal=lambda _: None,
            interval=settings.interval,
            deadline=max(settings.deadline, LIMIT_S),
            describe=lambda item: f"{item['Status']}, {item.get('PercentProgress', 0)} %",
        )
    )
    if item["Status"] != COMPLETE:
        raise Failed(
            f"The export task {name} ended as {item['Status']}: "
            f"{item.get('FailureCause') or 'RDS gives no cause'}.",
            left="What it has written stays; there is no manifest.",
            cure="Mend the cause, then run the same command again: it begins a new task.",
        )
    prefix = item.get("S3Prefix", "").strip("/")
    return Ended(
        name,
        f"{prefix}/{name}/",
        item.get("WarningMessage", ""),
        item["SourceArn"],
        item["SnapshotTime"],
    )


@changes
def cancel_export(site: Site, name: str) -> None:
    """Ask RDS to stop a task; one that is over is no matter."""
    rds = site.cloud.client("rds", site.stack.region)
    if _status(rds, name) in AT_WORK:
        rds.cancel_export_task(ExportTaskIdentifier=name)


@looks
def read_told(store: Store, ended: Ended) -> tuple[list[Told], list[str]]:
    """Return what RDS tells of each table of a task, and the keys of all its objects."""
    found = sizes(store, ended.place)
    infos = sorted(key for key in found if key.rpartition("/")[2].startswith(INFO))
    return [one for key in infos for one in told(get(store, key))], sorted(found)


@looks
def read_exported(store: Store, ended: Ended, tables: Sequence[Told]) -> list[ExportedTable]:
    """Read every part of every table back: its bytes, their SHA-256, and its rows."""
    found = sizes(store, ended.place)
    return [_read(store, ended, one, found) for one in sorted(tables, key=lambda one: one.target)]


def _read(store: Store, ended: Ended, one: Told, found: dict[str, int]) -> ExportedTable:
    folder = folder_of(ended.place, one.target)
    keys = sorted(key for key in found if key.startswith(folder) and key.endswith(PARQUET))
    objects = tuple(_stored(store, key, found[key]) for key in keys)
    _, schema, name = one.target.split(".", 2)
    return ExportedTable(
        schema_name=schema,
        name=name,
        identity=one.target.partition(".")[2],
        columns=one.columns,
        rows=sum(stored.rows for stored in objects),
        fingerprint=None,
        objects=objects,
        snapshot=ended.source,
    )


def _stored(store: Store, key: str, size: int) -> Stored:
    bare = Stored(key=key, size=size, sha256="", rows=0, checksum="")
    with open_parquet(store.target, bare) as parquet:
        rows = parquet.metadata.num_rows
    return bare.model_copy(update={"rows": rows, "sha256": digest_of(store.target, bare)})
