"""What RDS does unasked: it restarts what died, keeps standbys, and frees replicas of the deleted."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from moto.rds.models import rds_backends

from localcloud.rds import backup_rhythm, failover, group_values, memory, multi_az, replicas
from localcloud.rds.instance import Instance
from localcloud.runtime import Runtime

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

LOG = logging.getLogger("localcloud")
_TICK = 0.1


class Supervisor:
    """A thread that looks after every instance, several times a second."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_TICK):
            try:
                with self._runtime.lock:
                    self._look()
            except Exception:  # the next look may succeed
                LOG.exception("Supervision failed.")

    def _look(self) -> None:
        for account in list(rds_backends.values()):
            for home in list(account.values()):
                memory.keep_all(home)
                for instance in list(home.instances.values()):
                    attend(home, instance)
                backup_rhythm.tend_copies(home)


def attend(home: Home, instance: Instance) -> None:
    """Begin what an instance needs at this moment, if anything."""
    cluster = instance.cluster
    if instance.gone or cluster is None or not instance.endpoint_known:
        return
    if instance.serving and cluster.crashed:
        # Whoever holds the lock is stopping or starting it.
        if cluster.lock.acquire(blocking=False):
            cluster.lock.release()
            failover.after_crash(home, instance)
        return
    if instance.status == "available" and instance.source is not None:
        _attend_replica(home, instance)
    multi_az.tend(home, instance)
    backup_rhythm.tend(home, instance)


def _attend_replica(home: Home, instance: Instance) -> None:
    if instance.replication_state == "terminated":
        return
    if group_values.source_of(home, instance) is None:
        replicas.start_promotion(home, instance)
        return
    source = group_values.astray(home, instance)
    if source is not None and source.serving and not instance.joining:
        failover.redirect(home, source, instance)
