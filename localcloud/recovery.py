"""A cluster made of a base backup and archived WAL, by PostgreSQL's archive recovery."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from localcloud import backup, wal
from localcloud.archive import Plan
from localcloud.cluster import Cluster
from localcloud.configuration import Recovery
from localcloud.errors import ClusterError
from localcloud.unprivileged import Owner

# A replay takes as long as it takes; it ends early when nobody waits for it any more.
_LONGEST = 6 * 3600.0


class Material:
    """What a planned restore needs, kept whatever happens to the backups it comes from."""

    def __init__(self, plan: Plan, archive: Path, place: Path, owner: Owner) -> None:
        self.plan = plan
        self.wal = place
        self.base = plan.base.copy.directory
        self._held = plan.base.copy.secured()
        owner.directory(place)
        for name in plan.files:
            os.link(archive / name, place / name)

    def release(self) -> None:
        """Let it go."""
        self._held.close()
        shutil.rmtree(self.wal, ignore_errors=True)


def run(
    material: Material,
    cluster: Cluster,
    parameters: Mapping[str, str],
    expected: Callable[[], bool],
) -> None:
    """Fill a new cluster and recover it to the planned moment; it is a primary when this ends.

    Raises ``ClusterError`` when that moment is not reached.
    """
    owner, plan = cluster.site.owner, material.plan
    backup.put(material.base, cluster)
    owner.write(cluster.files.data / "recovery.signal", "")
    moment = None if plan.moment is None else plan.moment.isoformat(sep=" ")
    cluster.configure(parameters)
    cluster.move(recovery=Recovery(material.wal, moment))
    cluster.start(_LONGEST, expected)
    if plan.moment is None:
        _require_end(cluster, plan.last)
    cluster.move(recovery=None)
    cluster.restart()


def _require_end(cluster: Cluster, last: str) -> None:
    """Raise ``ClusterError`` when the replay ended before the end of the last segment."""
    newest = max((cluster.files.data / "pg_wal").glob("*.history"))
    reached = newest.read_text().strip().splitlines()[-1].split("\t")[1]
    (whole,) = cluster.execute("SELECT %s::pg_lsn >= %s::pg_lsn", reached, wal.end(last))[0]
    if not whole:
        raise ClusterError(
            f"The recovery of {cluster.name} ended at {reached}, before {wal.end(last)}: "
            "archived WAL is damaged."
        )
