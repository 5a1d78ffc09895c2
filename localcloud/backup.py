"""A copy of a running cluster that can be started by itself: a base backup with its WAL.

By PostgreSQL's backup functions (PostgreSQL manual, "Making a Base Backup Using the Low Level API").
"""

from __future__ import annotations

from pathlib import Path

from localcloud import replication, template
from localcloud.cluster import Cluster
from localcloud.errors import ClusterError

_BEGIN = (
    # It goes with the session; until then no WAL that the copy needs is removed.
    "SELECT pg_create_physical_replication_slot('rds_backup', true, true)",
    "SELECT pg_walfile_name(pg_backup_start('snapshot', fast => true))",
)
_END = "SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)"
_SEGMENT = 24


def take(source: Cluster, directory: Path) -> None:
    """Copy a running primary into an empty directory."""
    owner = source.site.owner
    with source.connect() as session:
        slot, begin = _BEGIN
        session.execute(slot)
        row = session.execute(begin).fetchone()
        replication.copy_files(source, directory)
        label = session.execute(_END).fetchone()
        if row is None or label is None:
            raise ClusterError(f"The copy of {source.name} did not end.")
        _copy_wal(source, directory, first=str(row[0]))
    owner.write(directory / "backup_label", str(label[0]))


def put(directory: Path, target: Cluster) -> None:
    """Fill a cluster's data directory from a copy; its first start recovers to the copy's end."""
    template.copy(directory, target.files.data, target.site.owner)


def _copy_wal(source: Cluster, directory: Path, *, first: str) -> None:
    for path in sorted((source.files.data / "pg_wal").iterdir()):
        if len(path.name) == _SEGMENT and path.name >= first:
            template.copy_file(path, directory / "pg_wal" / path.name, source.site.owner)
