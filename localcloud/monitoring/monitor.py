"""Once a minute of the service clock: every instance is sampled, every alarm evaluated."""

from __future__ import annotations

import datetime as dt
import logging
import threading

from moto.cloudwatch.models import cloudwatch_backends
from moto.rds.models import rds_backends

from localcloud.clock import LONGEST_STEP
from localcloud.monitoring import looks, readings
from localcloud.monitoring.processor import Meter
from localcloud.monitoring.readings import Reading
from localcloud.monitoring.region import Region
from localcloud.objects import lifecycle
from localcloud.rds import backup_rhythm
from localcloud.rds.backend import Home
from localcloud.rds.instance import Instance
from localcloud.runtime import Runtime

LOG = logging.getLogger("localcloud")

_MINUTE = dt.timedelta(minutes=1)
# A machine that slept has slept; only so much is made up for.
_LONGEST_GAP = dt.timedelta(seconds=LONGEST_STEP) + _MINUTE
_QUIET = 10.0
_LIMIT = 10.0


class Monitor:
    """Samples and evaluates: in real time, and whenever the clock is moved."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._clock = runtime.clock
        self._meter = Meter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._due = _whole_minute(self._clock.now() + dt.timedelta(seconds=_QUIET)) + _MINUTE
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        """Begin to follow real time."""
        self._thread.start()

    def stop(self) -> None:
        """End following real time."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_LIMIT)

    def advance(self, seconds: float) -> None:
        """Move the clock forward and do what falls due on the way, before returning."""
        with self._lock:
            self._due = min(self._due, _whole_minute(self._clock.now()) + _MINUTE)
            self._clock.advance(seconds)
            self._catch_up()
        backup_rhythm.keep_pace(self._runtime)
        lifecycle.keep_pace(self._clock)

    def _run(self) -> None:
        while not self._stop.wait(max(0.0, (self._due - self._clock.now()).total_seconds())):
            try:
                with self._lock:
                    self._catch_up()
            except Exception:
                LOG.exception("Sampling failed.")

    def _catch_up(self) -> None:
        now = self._clock.now()
        if now < self._due:
            return
        moment = max(self._due, _whole_minute(now - _LONGEST_GAP))
        self._due = _whole_minute(now) + _MINUTE
        found = self._look()
        regions = _regions({(home.account_id, home.region_name) for home, _, _ in found}, moment)
        while moment <= now:
            for home, instance, reading in found:
                region = regions[home.account_id, home.region_name]
                region.report(instance.identifier, readings.metrics(reading, moment), moment)
            for region in regions.values():
                region.evaluate(moment)
            moment += _MINUTE

    def _look(self) -> list[tuple[Home, Instance, Reading]]:
        with self._runtime.lock:
            known = [
                (home, instance)
                for account in list(rds_backends.values())
                for home in list(account.values())
                if isinstance(home, Home)
                for instance in home.instances.values()
            ]
        found = []
        for home, instance in known:
            reading = looks.look(instance, self._meter, self._clock)
            if reading is not None:
                found.append((home, instance, reading))
        self._meter.forget_all_but(
            {
                process.pid
                for _, instance in known
                if instance.cluster is not None
                and (process := instance.cluster.process) is not None
            }
        )
        return found


def _regions(sampled: set[tuple[str, str]], moment: dt.datetime) -> dict[tuple[str, str], Region]:
    """Return the regions that have instances or alarms."""
    known = {
        (account, name)
        for account, regions in list(cloudwatch_backends.items())
        for name, backend in list(regions.items())
        if backend.alarms
    }
    return {
        (account, name): Region(cloudwatch_backends[account][name], moment)
        for account, name in known | sampled
    }


def _whole_minute(moment: dt.datetime) -> dt.datetime:
    return moment.replace(second=0, microsecond=0)
