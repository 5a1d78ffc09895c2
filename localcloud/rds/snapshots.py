"""CreateDBSnapshot, DescribeDBSnapshots, DeleteDBSnapshot: copies of an instance that are kept."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from localcloud import backup
from localcloud.kept import Kept
from localcloud.rds import events, faults, transitions, validation
from localcloud.rds.instance import Instance
from localcloud.rds.operations import Answer, Call, filters, operation
from localcloud.rds.records import Snapshot, Tags, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

# RDS User Guide, "Quotas and constraints": manual DB instance snapshots in a region.
_MOST = 100
_SHOWN = (
    "AllocatedStorage",
    "AvailabilityZone",
    "EngineVersion",
    "IAMDatabaseAuthenticationEnabled",
    "Iops",
    "KmsKeyId",
    "MasterUsername",
    "Port",
    "StorageThroughput",
    "StorageType",
)
_KINDS = ("automated", "awsbackup", "manual", "public", "shared")
_FILTERS = ("db-instance-id", "db-snapshot-id", "dbi-resource-id", "engine", "snapshot-type")


@operation("CreateDBSnapshot")
def create_db_snapshot(call: Call) -> Answer:
    """Copy an instance; the answer comes at once, the copy follows."""
    home = call.home
    name = validation.snapshot_identifier(call.need("DBSnapshotIdentifier"))
    instance = home.instance(call.need("DBInstanceIdentifier"))
    check_new(home, name)
    transitions.require(instance, {"available", "storage-optimization"}, "snapshotted")
    if instance.source is not None:
        raise faults.not_simulated("CreateDBSnapshot", "No snapshot is made of a replica.")
    snapshot = of_instance(home, instance, name, _tags(call, instance))
    _copy(home, instance, snapshot)
    return {"DBSnapshot": shown(snapshot)}


def of_instance(home: Home, instance: Instance, name: str, tags: Tags) -> Snapshot:
    """Add a snapshot of an instance whose files are still to be copied."""
    snapshot = Snapshot(
        name=name,
        arn=home.arn("snapshot", name),
        instance=instance.identifier,
        resource_id=instance.resource_id,
        instance_created=instance.created,
        settings=dict(instance.settings),
        copy=new_copy(home),
        tags=tags,
        created=now(),
        lasts=home.runtime.latency.of("snapshot"),
    )
    home.snapshots[name] = snapshot
    return snapshot


def check_new(home: Home, name: str) -> None:
    """Raise the fault when a region has a snapshot of that name, or as many as it may."""
    if name in home.snapshots:
        raise faults.Fault(
            "DBSnapshotAlreadyExists",
            "Cannot create the snapshot because a snapshot with the identifier "
            f"{name} already exists.",
        )
    if sum(snapshot.kind == "manual" for snapshot in home.snapshots.values()) >= _MOST:
        raise faults.Fault("SnapshotQuotaExceeded", f"Cannot create more than {_MOST} snapshots.")


def new_copy(home: Home) -> Kept:
    """Return a place for the files of a snapshot."""
    return Kept(home.runtime.snapshots / secrets.token_hex(8))


def _tags(call: Call, instance: Instance) -> Tags:
    """Return the tags; the instance's are copied where it says so and none are given."""
    return list(call.get("Tags", [])) or copied_tags(instance)


def copied_tags(instance: Instance) -> Tags:
    """Return the tags that a snapshot of an instance has by itself."""
    if not instance.settings["CopyTagsToSnapshot"]:
        return []
    return [dict(tag) for tag in instance.tags]


def _copy(home: Home, instance: Instance, snapshot: Snapshot) -> None:
    def work() -> None:
        try:
            backup.take(instance.need_cluster(), snapshot.copy.directory)
        except BaseException:
            snapshot.status = "failed"
            raise

    def done() -> None:
        snapshot.status = "available"
        if instance.status == "backing-up":
            instance.status = "available"
        _event(home, snapshot, "Manual snapshot created", "creation")

    transitions.begin(
        home, instance, "snapshot", status="backing-up", work=work, done=done, failure="available"
    )


def _event(home: Home, snapshot: Snapshot, message: str, category: str) -> None:
    events.add_other(home, snapshot.name, "db-snapshot", snapshot.arn, message, category)


@operation("DescribeDBSnapshots")
def describe_db_snapshots(call: Call) -> Answer:
    """The snapshots of a region, those of one instance, or one of them."""
    wanted = filters(call, _FILTERS)
    for key, parameter in (
        ("db-instance-id", "DBInstanceIdentifier"),
        ("db-snapshot-id", "DBSnapshotIdentifier"),
        ("dbi-resource-id", "DbiResourceId"),
        ("snapshot-type", "SnapshotType"),
    ):
        if call.has(parameter):
            wanted.setdefault(key, []).append(str(call.get(parameter)))
    _check_kinds(wanted.get("snapshot-type", []))
    chosen = [
        snapshot
        for _, snapshot in sorted(call.home.snapshots.items())
        if all(_is(snapshot, key) & {_plain(value) for value in wanted[key]} for key in wanted)
    ]
    if call.has("DBSnapshotIdentifier") and "snapshot-type" not in wanted:
        # API DescribeDBSnapshots: of an automated one, the type must be given too.
        chosen = [snapshot for snapshot in chosen if snapshot.kind == "manual"]
    if call.has("DBSnapshotIdentifier") and not chosen:
        raise faults.no_snapshot(call.get("DBSnapshotIdentifier"))
    return {"DBSnapshots": [shown(snapshot) for snapshot in chosen]}


def _check_kinds(given: list[str]) -> None:
    for kind in given:
        if kind not in _KINDS:
            raise faults.invalid_value(f"Invalid snapshot type: {kind}")


def _is(snapshot: Snapshot, key: str) -> set[str]:
    values = {
        "db-instance-id": snapshot.instance,
        "db-snapshot-id": snapshot.name,
        "dbi-resource-id": snapshot.resource_id.lower(),
        "engine": "postgres",
        "snapshot-type": snapshot.kind,
    }
    return {values[key]}


def _plain(value: str) -> str:
    """Return a name as it is kept, of an ARN too."""
    name = value.split(":", 6)[-1] if value.startswith("arn:") else value
    return name.lower()


@operation("DeleteDBSnapshot")
def delete_db_snapshot(call: Call) -> Answer:
    """Delete a snapshot that is available."""
    home = call.home
    snapshot = find(home, call.need("DBSnapshotIdentifier"))
    if snapshot.kind != "manual":
        raise faults.Fault("InvalidDBSnapshotState", "Only manual snapshots may be deleted.")
    if snapshot.status not in ("available", "failed") and snapshot.source is None:
        raise faults.Fault(
            "InvalidDBSnapshotState",
            f"Cannot delete the snapshot because it is in the {snapshot.status} state.",
        )
    home.snapshots.pop(snapshot.name)
    snapshot.status = "deleted"
    snapshot.copy.discard()
    _event(home, snapshot, "Deleted manual snapshot", "deletion")
    return {"DBSnapshot": shown(snapshot)}


def find(home: Home, given: str) -> Snapshot:
    """Return a snapshot of the region by its name or ARN."""
    found = home.snapshots.get(_plain(given))
    elsewhere = given.startswith("arn:") and given.split(":")[3] != home.region_name
    if found is None or elsewhere:
        raise faults.no_snapshot(given)
    return found


def shown(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as the API shows it."""
    plain = {
        name: snapshot.settings[name] for name in _SHOWN if snapshot.settings.get(name) is not None
    }
    return plain | {
        "DBInstanceIdentifier": snapshot.instance,
        "DBSnapshotArn": snapshot.arn,
        "DBSnapshotIdentifier": snapshot.name,
        "DbiResourceId": snapshot.resource_id,
        "DedicatedLogVolume": False,
        "Encrypted": snapshot.settings["StorageEncrypted"],
        "Engine": "postgres",
        "InstanceCreateTime": snapshot.instance_created,
        "LicenseModel": "postgresql-license",
        "OriginalSnapshotCreateTime": snapshot.original or snapshot.created,
        "PercentProgress": _percent(snapshot),
        "ProcessorFeatures": [],
        "SnapshotCreateTime": snapshot.created,
        "SnapshotDatabaseTime": snapshot.original or snapshot.created,
        "SnapshotTarget": "region",
        "SnapshotType": snapshot.kind,
        "Status": snapshot.status,
        "TagList": snapshot.tags,
        **_origin(snapshot),
    }


def _percent(snapshot: Snapshot) -> int:
    """Return how far the copy is: by its latency, as nobody counts its bytes."""
    if snapshot.status != "creating":
        return 100
    past = time.monotonic() - snapshot.began
    return min(99, int(100 * past / snapshot.lasts)) if snapshot.lasts else 0


def _origin(snapshot: Snapshot) -> dict[str, str]:
    """Return where a copy from another region comes from."""
    if snapshot.source is None or snapshot.source.split(":")[3] == snapshot.arn.split(":")[3]:
        return {}
    return {
        "SourceDBSnapshotIdentifier": snapshot.source,
        "SourceRegion": snapshot.source.split(":")[3],
    }
