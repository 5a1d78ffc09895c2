"""Which other accounts may restore a manual snapshot. There are none here, but the list is kept."""

from __future__ import annotations

from localcloud.rds import faults, snapshots
from localcloud.rds.operations import Answer, Call, operation
from localcloud.rds.records import Snapshot

_RESTORE = "restore"


def _shown(snapshot: Snapshot) -> Answer:
    attribute = {"AttributeName": _RESTORE, "AttributeValues": list(snapshot.shared)}
    return {
        "DBSnapshotAttributesResult": {
            "DBSnapshotIdentifier": snapshot.name,
            "DBSnapshotAttributes": [attribute],
        }
    }


@operation("DescribeDBSnapshotAttributes")
def describe_db_snapshot_attributes(call: Call) -> Answer:
    """Return who may restore a manual snapshot."""
    return _shown(snapshots.find(call.home, call.need("DBSnapshotIdentifier")))


@operation("ModifyDBSnapshotAttribute")
def modify_db_snapshot_attribute(call: Call) -> Answer:
    """Let accounts restore a manual snapshot, or no longer."""
    snapshot = snapshots.find(call.home, call.need("DBSnapshotIdentifier"))
    if call.need("AttributeName") != _RESTORE:
        raise faults.invalid_value("The only attribute of a snapshot is restore.")
    if snapshot.kind != "manual":
        raise faults.Fault("InvalidDBSnapshotState", "Only manual snapshots can be shared.")
    added, removed = call.get("ValuesToAdd", []), call.get("ValuesToRemove", [])
    if "all" in added and snapshot.settings["StorageEncrypted"]:
        raise faults.invalid_value("An encrypted snapshot cannot be public.")
    kept = [account for account in snapshot.shared if account not in removed]
    snapshot.shared = [*kept, *(account for account in added if account not in kept)]
    return _shown(snapshot)
