"""CopyDBSnapshot: a snapshot that needs nothing of the first, here or from another region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud import backup, seal
from localcloud.rds import events, faults, keys, snapshots, validation
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Snapshot, Tags, now

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

# RDS User Guide, "Copying a DB snapshot": copies in progress in a destination region.
_MOST = 20
_UNSIMULATED = (
    "CopyOptionGroup",
    "OptionGroupName",
    "SnapshotAvailabilityZone",
    "TagSpecifications",
    "TargetCustomAvailabilityZone",
)


@operation("CopyDBSnapshot")
def copy_db_snapshot(call: Call) -> Answer:
    """Copy a snapshot into the region of the call; the answer comes at once, the copy follows."""
    home = call.home
    for parameter in _UNSIMULATED:
        if call.get(parameter):
            raise faults.not_simulated("CopyDBSnapshot", f"{parameter} is not offered.")
    if call.get("SnapshotTarget", "region") != "region":
        raise faults.not_simulated("CopyDBSnapshot", "The only SnapshotTarget is region.")
    there, source = _source(call)
    name = validation.snapshot_identifier(call.need("TargetDBSnapshotIdentifier"))
    snapshots.check_new(home, name)
    if source.status != "available":
        raise faults.Fault(
            "InvalidDBSnapshotState",
            f"The snapshot {source.name} is {source.status}; it has to be available.",
        )
    if sum(found.status == "creating" for found in home.snapshots.values()) >= _MOST:
        raise faults.Fault(
            "SnapshotQuotaExceeded", f"At most {_MOST} snapshots are copied at once."
        )
    made = Snapshot(
        name=name,
        arn=home.arn("snapshot", name),
        instance=source.instance,
        resource_id=source.resource_id,
        instance_created=source.instance_created,
        settings=_settings(call, there, source),
        copy=snapshots.new_copy(home),
        tags=_tags(call, source),
        created=now(),
        lasts=home.runtime.latency.of("snapshot"),
        source=source.arn,
        original=source.original or source.created,
    )
    home.snapshots[name] = made
    _begin(home, made, source)
    return {"DBSnapshot": snapshots.shown(made)}


def _source(call: Call) -> tuple[Home, Snapshot]:
    given = str(call.need("SourceDBSnapshotIdentifier"))
    region = given.split(":")[3] if given.startswith("arn:") else call.home.region_name
    if call.get("SourceRegion", region) != region:
        raise faults.invalid_value(f"The snapshot {given} is not of {call.get('SourceRegion')}.")
    there = call.home.elsewhere(region)
    return there, snapshots.find(there, given)


def _settings(call: Call, there: Home, source: Snapshot) -> dict[str, Any]:
    have, home = source.settings, call.home
    elsewhere = there is not home
    key = have["KmsKeyId"]
    if key:
        # What is encrypted has to be readable.
        keys.key_arn(there, key)
    if call.has("KmsKeyId"):
        key = keys.key_arn(home, call.get("KmsKeyId"))
    elif key and elsewhere:
        raise faults.invalid_combination(
            "Copying an encrypted snapshot to another region needs KmsKeyId: a key of the "
            "destination region."
        )
    zone = None if elsewhere else have["AvailabilityZone"]
    return {**have, "KmsKeyId": key, "StorageEncrypted": bool(key), "AvailabilityZone": zone}


def _tags(call: Call, source: Snapshot) -> Tags:
    copied = {tag["Key"]: tag for tag in source.tags} if call.get("CopyTags", False) else {}
    given = {tag["Key"]: tag for tag in call.get("Tags", [])}
    return [dict(tag) for tag in {**copied, **given}.values()]


def _begin(home: Home, made: Snapshot, source: Snapshot) -> None:
    runtime = home.runtime
    held = source.copy.secured()

    def work() -> None:
        with held:
            backup.copy(source.copy.directory, made.copy.directory, runtime.owner)
        seal.put(made.copy.directory)

    def done() -> None:
        with runtime.lock:
            if home.snapshots.get(made.name) is made:
                made.status = "available"
                text = "Finished copy of snapshot"
                events.add_other(home, made.name, "db-snapshot", made.arn, text, "notification")
            else:
                made.copy.discard()

    def failed(_: BaseException) -> None:
        with runtime.lock:
            made.status = "failed"
            made.copy.discard()

    runtime.lifecycle.begin("snapshot", work, done, failed)
