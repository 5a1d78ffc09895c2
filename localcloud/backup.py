"""A copy of a running cluster that can be started by itself: a base backup with its WAL.

By PostgreSQL's backup functions (PostgreSQL manual, "Making a Base Backup Using the Low Level API").
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from localcloud import replication, seal, template
from localcloud.cluster import Cluster
from localcloud.errors import ClusterError
from localcloud.unprivileged import Owner

_BEGIN = (
    # It goes with the session; until then no WAL that the copy needs is removed.
    "SELECT pg_create_physical_replication_slot('rds_backup', true, true)",
    "SELECT pg_walfile_name(pg_backup_start('snapshot', fast => true))",
)
_END = (
    "SELECT labelfile, pg_walfile_name(lsn), clock_timestamp() "
    "FROM pg_backup_stop(wait_for_archive => false)"
)
_SEGMENT = 24


@dataclass(frozen=True, slots=True)
class Taken:
    """The first WAL segment that a copy needs, and when the copy ended."""

    first: str
    ended: dt.datetime


def take(source: Cluster, directory: Path) -> Taken:
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
        taken = Taken(str(row[0]), label[2])
        _copy_wal(source, directory, first=taken.first, last=str(label[1]))
    owner.write(directory / "backup_label", str(label[0]))
    seal.put(directory)
    return taken


def put(directory: Path, target: Cluster) -> None:
    """Fill a cluster's data directory from a copy; its first start recovers to the copy's end.

    Raises ``ClusterError`` when the copy is not as it was when it was taken.
    """
    copy(directory, target.files.data, target.site.owner)


def copy(directory: Path, target: Path, owner: Owner) -> None:
    """Copy a copy. Raises ``ClusterError`` when it is not as it was when it was taken."""
    seal.check(directory)
    template.copy(directory, target, owner, skip=frozenset({seal.NAME}))


def _copy_wal(source: Cluster, directory: Path, *, first: str, last: str) -> None:
    for path in sorted((source.files.data / "pg_wal").iterdir()):
        if len(path.name) == _SEGMENT and first <= path.name <= last:
            template.copy_file(path, directory / "pg_wal" / path.name, source.site.owner)
