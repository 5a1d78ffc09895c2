"""StartExportTask, DescribeExportTasks, CancelExportTask: a snapshot as Parquet in S3.

RDS restores the snapshot behind the scenes and reads it; so does this, with a cluster of its own that
nobody else reaches.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends

from localcloud import backup
from localcloud.cluster import Cluster
from localcloud.rds import faults, keys, snapshots
from localcloud.rds.operations import Answer, Call, filters, operation
from localcloud.rds.records import Snapshot, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

PRINCIPAL = "export.rds.amazonaws.com"
# RDS User Guide, "Limitations": tasks at work in an account and region; one of each snapshot.
_MOST = 5
_IDENTIFIER = re.compile(r"[A-Za-z](-?[A-Za-z0-9])*")
_LONGEST = 60
_PARTIAL = re.compile(r"[A-Za-z0-9$_]+(\.[A-Za-z0-9$_]+){0,2}")
_AT_WORK = frozenset({"STARTING", "IN_PROGRESS", "CANCELING"})
_GIB = 1024**3
_FILTERS = ("export-task-identifier", "s3-bucket", "source-arn", "status")


@dataclass(slots=True)
class Task:
    """One task: what was asked for, and how far it is."""

    name: str
    snapshot: Snapshot
    bucket: str
    prefix: str
    role: str
    key: str
    only: list[str]
    status: str = "STARTING"
    began: dt.datetime | None = None
    ended: dt.datetime | None = None
    percent: int = 0
    size: int = 0
    failure: str = ""
    warning: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def place(self) -> str:
        """Where its objects lie."""
        return f"{self.prefix}/{self.name}/" if self.prefix else f"{self.name}/"


@operation("StartExportTask")
def start_export_task(call: Call) -> Answer:
    """Begin to export a snapshot; the answer comes at once, the objects follow."""
    home = call.home
    name = str(call.need("ExportTaskIdentifier"))
    if len(name) > _LONGEST or not _IDENTIFIER.fullmatch(name):
        raise faults.invalid_value(f"Invalid export task identifier: {name}")
    if name in home.export_tasks:
        raise faults.Fault("ExportTaskAlreadyExists", f"The export task {name} already exists.")
    snapshot = _source(home, str(call.need("SourceArn")))
    task = Task(
        name=name,
        snapshot=snapshot,
        bucket=_bucket(home, str(call.need("S3BucketName"))),
        prefix=re.sub(r'[ "\\`]', "_", str(call.get("S3Prefix", ""))).strip("/"),
        role=_role(home, str(call.need("IamRoleArn"))),
        key=keys.key_arn(home, str(call.need("KmsKeyId"))),
        only=_only(call),
    )
    home.export_tasks[name] = task
    _begin(home, task)
    return shown(task)


def _source(home: Home, arn: str) -> Snapshot:
    snapshot = snapshots.find(home, arn)
    if snapshot.status != "available":
        raise faults.Fault(
            "InvalidExportSourceState", f"The snapshot {snapshot.name} is {snapshot.status}."
        )
    at_work = [task for task in home.export_tasks.values() if task.status in _AT_WORK]
    if len(at_work) >= _MOST:
        raise faults.Fault("ExportTaskLimitReachedFault", f"At most {_MOST} tasks run at once.")
    if any(task.snapshot is snapshot for task in at_work):
        raise faults.Fault(
            "InvalidExportSourceState", f"The snapshot {snapshot.name} is being exported already."
        )
    return snapshot


def _bucket(home: Home, name: str) -> str:
    try:
        found = s3_backends[home.account_id][home.partition].head_bucket(name)
    except MissingBucket:
        found = None
    if found is None or found.region_name != home.region_name:
        raise faults.Fault(
            "InvalidS3BucketFault",
            f"The S3 bucket {name} doesn't exist, or isn't in the region {home.region_name}.",
        )
    return name


def _role(home: Home, arn: str) -> str:
    name = arn.rsplit("/", 1)[-1]
    if not keys.has_role(home, arn):
        raise faults.Fault("IamRoleNotFound", f"The IAM role {name} doesn't exist.")
    try:
        keys.require_role(home, arn, PRINCIPAL)
    except faults.Fault:
        raise faults.Fault(
            "IamRoleMissingPermissions",
            f"The IAM role {name} can't be assumed by {PRINCIPAL}.",
        ) from None
    return arn


def _only(call: Call) -> list[str]:
    given = [str(item) for item in call.get("ExportOnly", [])]
    for item in given:
        if not _PARTIAL.fullmatch(item):
            raise faults.Fault("InvalidExportOnly", f"The value {item} of ExportOnly is not valid.")
    return given


def _begin(home: Home, task: Task) -> None:
    held = task.snapshot.copy.secured()

    def work() -> None:
        with held:
            _export(home, task)

    def done() -> None:
        with home.runtime.lock:
            task.ended = now()
            task.status = "CANCELED" if task.cancelled.is_set() else "COMPLETE"
            task.percent = task.percent if task.cancelled.is_set() else 100

    def failed(error: BaseException) -> None:
        with home.runtime.lock:
            task.status, task.ended = "FAILED", now()
            task.failure = getattr(error, "message", str(error)) or type(error).__name__

    home.runtime.lifecycle.begin("export", work, done, failed)


def _export(home: Home, task: Task) -> None:
    from localcloud import snapshot_parquet  # noqa: PLC0415  # Arrow takes a while to load

    name = f"export-{secrets.token_hex(4)}"
    cluster = home.runtime.new_cluster(name, int(task.snapshot.settings["Port"]))
    try:
        _restore(cluster, task)
        with home.runtime.lock:
            task.began = now()
            task.status = "CANCELING" if task.cancelled.is_set() else "IN_PROGRESS"
        found = [
            one
            for one in snapshot_parquet.sources(cluster)
            if snapshot_parquet.is_wanted(one, task.only)
        ]
        if task.only and not found:
            raise faults.Fault("InvalidExportOnly", "ExportOnly names nothing of the snapshot.")
        done = snapshot_parquet.export(
            cluster,
            found,
            lambda key, body: _put(home, task, f"{task.place}{key}", body),
            task.cancelled.is_set,
        )
    finally:
        home.runtime.discard(name)
    task.size, task.warning = done.size, snapshot_parquet.warning(done)
    if not task.cancelled.is_set():
        _put_info(home, task, done.tables)


def _restore(cluster: Cluster, task: Task) -> None:
    with cluster.lock:
        backup.put(task.snapshot.copy.directory, cluster)
        cluster.configure({})
        cluster.start()


def _put_info(home: Home, task: Task, tables: list[dict[str, Any]]) -> None:
    """Write the two files in which RDS says what it exported."""
    last = len(tables)
    info = {"perTableStatus": tables}
    name = f"export_tables_info_{task.name}_from_1_to_{last}.json"
    _put(home, task, f"{task.place}{name}", json.dumps(info).encode())
    whole = {
        "exportTaskIdentifier": task.name,
        "sourceArn": task.snapshot.arn,
        "exportOnly": task.only,
        "snapshotTime": str(task.snapshot.created),
        "taskStartTime": str(task.began),
        "taskEndTime": str(now()),
        "s3Bucket": task.bucket,
        "s3Prefix": task.prefix,
        "exportedFilesPath": task.place.rstrip("/"),
        "iamRoleArn": task.role,
        "kmsKeyId": task.key,
        "status": "COMPLETE",
        "percentProgress": 100,
        "totalExportedDataInGB": task.size / _GIB,
    }
    if task.warning:
        whole["warningMessage"] = task.warning
    _put(home, task, f"{task.place}export_info_{task.name}.json", json.dumps(whole).encode())


def _put(home: Home, task: Task, key: str, body: bytes) -> None:
    with home.runtime.lock:
        s3_backends[home.account_id][home.partition].put_object(
            task.bucket, key, body, encryption="aws:kms", kms_key_id=task.key
        )


@operation("DescribeExportTasks")
def describe_export_tasks(call: Call) -> Answer:
    """The tasks of a region, or one of them."""
    wanted = filters(call, _FILTERS)
    for key, parameter in (
        ("export-task-identifier", "ExportTaskIdentifier"),
        ("source-arn", "SourceArn"),
    ):
        if call.has(parameter):
            wanted.setdefault(key, []).append(str(call.get(parameter)))
    chosen = [
        task
        for _, task in sorted(call.home.export_tasks.items())
        if all(_value(task, key) in values for key, values in wanted.items())
    ]
    if call.has("ExportTaskIdentifier") and not chosen:
        raise _no_task(str(call.get("ExportTaskIdentifier")))
    return {"ExportTasks": [shown(task) for task in chosen]}


def _value(task: Task, key: str) -> str:
    values = {
        "export-task-identifier": task.name,
        "s3-bucket": task.bucket,
        "source-arn": task.snapshot.arn,
        "status": task.status,
    }
    return values[key]


@operation("CancelExportTask")
def cancel_export_task(call: Call) -> Answer:
    """Stop a task; what it has written stays."""
    name = str(call.need("ExportTaskIdentifier"))
    task = call.home.export_tasks.get(name)
    if task is None:
        raise _no_task(name)
    if task.status not in ("STARTING", "IN_PROGRESS"):
        raise faults.Fault(
            "InvalidExportTaskStateFault", f"The export task {name} is {task.status}."
        )
    task.cancelled.set()
    task.status = "CANCELING"
    return shown(task)


def _no_task(name: str) -> faults.Fault:
    return faults.Fault("ExportTaskNotFound", f"The export task {name} doesn't exist.")


def shown(task: Task) -> dict[str, Any]:
    """Return a task as the API shows it."""
    plain = {
        "ExportTaskIdentifier": task.name,
        "SourceArn": task.snapshot.arn,
        "SourceType": "SNAPSHOT",
        "SnapshotTime": task.snapshot.original or task.snapshot.created,
        "ExportOnly": task.only,
        "S3Bucket": task.bucket,
        "S3Prefix": task.prefix,
        "IamRoleArn": task.role,
        "KmsKeyId": task.key,
        "Status": task.status,
        "PercentProgress": task.percent,
        "TotalExtractedDataInGB": task.size // _GIB,
    }
    told = {
        "TaskStartTime": task.began,
        "TaskEndTime": task.ended,
        "FailureCause": task.failure,
        "WarningMessage": task.warning,
    }
    return plain | {key: value for key, value in told.items() if value}
