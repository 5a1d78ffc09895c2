"""The hidden standby behind MultiAZ: made, kept and removed as the instance's settings say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from localcloud import mirror, replication
from localcloud.cluster import Cluster
from localcloud.errors import ClusterError
from localcloud.rds.instance import SERVING, Instance, Mirror

if TYPE_CHECKING:
    from localcloud.rds.backend import Home

_TENDED = SERVING | {"rebooting"}
_RETRY = 1.0
_CHECK_EVERY = 2.0
_LOST_AFTER = 3.0
_QUIET = 1.0
_LATEST = 10.0
_READY_LIMIT = 60.0


def tend(home: Home, instance: Instance) -> None:
    """Begin what brings the standby to what the settings say. Call under the runtime's lock."""
    state = instance.standby
    if state.busy or not _tended(instance):
        return
    if not instance.settings["MultiAZ"]:
        if state.cluster is not None:
            _begin(home, instance, lambda: drop(home, instance))
    elif state.cluster is None:
        if _due(home, state):
            _begin(home, instance, lambda: _make(home, instance))
    elif state.cluster.crashed:
        _begin(home, instance, lambda: drop(home, instance))
    elif time.monotonic() >= state.seen + _CHECK_EVERY:
        state.seen = time.monotonic()
        found = state.cluster
        _begin(home, instance, lambda: _check(home, instance, found))


def _tended(instance: Instance) -> bool:
    if instance.gone or instance.cluster is None or not instance.endpoint_known:
        return False
    return instance.status in _TENDED and instance.cluster.running


def _due(home: Home, state: Mirror) -> bool:
    """Tell whether to make a standby now: what is being made beside it goes first, for a while."""
    present = time.monotonic()
    if state.wanted is None:
        state.wanted = present
    if present < state.not_before:
        return False
    late = present - state.wanted >= _LATEST
    return state.urgent or late or home.runtime.calls.quiet >= _QUIET


def _begin(home: Home, instance: Instance, work: Callable[[], None]) -> None:
    state = instance.standby
    state.busy = True

    def done() -> None:
        state.busy = False

    def failed(_: BaseException) -> None:
        state.not_before = time.monotonic() + _RETRY
        state.busy = False

    home.runtime.lifecycle.begin("modify", work, done, failed, share=0.0)


def _make(home: Home, instance: Instance) -> None:
    primary = instance.need_cluster()
    state = instance.standby
    state.made += 1
    name = f"{instance.resource_id}-{state.made}"
    made = home.runtime.new_cluster(name, primary.address.port, primary.address)
    try:
        with made.lock:
            mirror.build(primary, made)
        with primary.lock:
            _take(home, instance, primary, made)
    except BaseException:
        if primary.place.synchronous is not None and state.cluster is None:
            mirror.detach(primary)
        made.fence()
        home.runtime.discard(name)
        raise


def _take(home: Home, instance: Instance, primary: Cluster, made: Cluster) -> None:
    with home.runtime.lock:
        current = (
            home.instances.get(instance.identifier) is instance
            and instance.cluster is primary
            and instance.settings["MultiAZ"]
            and not instance.gone
        )
    if not current:
        raise ClusterError(f"{made.name} is not needed any more.")
    made.move(archive=primary.place.archive)
    made.reload()
    mirror.attach(primary, made)
    instance.standby.seen = time.monotonic()
    instance.standby.cluster, instance.standby.wanted = made, None


def _check(home: Home, instance: Instance, found: Cluster) -> None:
    """Let a standby go that receives nothing, unless it is its primary that is away."""
    end = time.monotonic() + _LOST_AFTER
    pause = threading.Event()
    while time.monotonic() < end:
        primary = instance.need_cluster()
        if mirror.alive(found) or not replication.answers(primary):
            return
        pause.wait(0.1)
    if instance.standby.cluster is found:
        drop(home, instance)


def drop(home: Home, instance: Instance) -> None:
    """Remove the standby there is; the primary waits for nobody from here on."""
    found, instance.standby.cluster = instance.standby.cluster, None
    if found is None:
        return
    if instance.cluster is not None:
        mirror.detach(instance.cluster)
    found.fence()
    home.runtime.discard(found.name)


def await_ready(instance: Instance) -> None:
    """Wait until there is a standby to fail over to."""
    instance.standby.urgent = True
    end = time.monotonic() + _READY_LIMIT
    pause = threading.Event()
    while instance.standby.cluster is None:
        if time.monotonic() >= end:
            raise ClusterError(f"{instance.identifier} has no standby.")
        pause.wait(0.02)
    instance.standby.urgent = False
