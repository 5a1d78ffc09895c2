"""What breaks, at a tester's wish: a server is killed or frozen, a replica's link is cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from moto.rds.models import rds_backends

from localcloud.rds.backend import Home
from localcloud.rds.instance import Instance
from localcloud.runtime import Runtime
from localcloud.settings import ACCOUNT


class UnknownDisturbanceError(ValueError):
    """What is asked for cannot be done to that instance."""


def _kill(instance: Instance) -> None:
    instance.need_cluster().kill()


def _freeze(instance: Instance) -> None:
    instance.need_cluster().freeze()


def _thaw(instance: Instance) -> None:
    instance.need_cluster().thaw()


def _delay(instance: Instance, seconds: float) -> None:
    """Receive at once, and apply each commit only when it is so old."""
    _move(instance, delay=seconds)


def _pause(instance: Instance) -> None:
    """Receive, and apply nothing."""
    instance.need_cluster().execute("SELECT pg_wal_replay_pause()")


def _resume(instance: Instance) -> None:
    instance.need_cluster().execute("SELECT pg_wal_replay_resume()")


def _cut(instance: Instance) -> None:
    """Receive nothing; the slot at the source stays and keeps WAL."""
    _move(instance, linked=False)
    instance.replication_state = "error"


def _join(instance: Instance) -> None:
    _move(instance, linked=True)
    instance.replication_state = "replicating"


def _move(instance: Instance, **changes: float) -> None:
    cluster = instance.need_cluster()
    cluster.move(**changes)
    if cluster.running:
        cluster.reload()


_ANY: dict[str, Callable[[Instance], None]] = {"kill": _kill, "freeze": _freeze, "thaw": _thaw}
_REPLICA: dict[str, Callable[[Instance], None]] = {
    "pause-replay": _pause,
    "resume-replay": _resume,
    "cut-link": _cut,
    "restore-link": _join,
}
DELAY = "delay-replay"
LONGEST = 3600


def bring(given: Mapping[str, object]) -> None:
    """Do ``action`` to the cluster of ``instance`` in ``region`` (the first one by default).

    ``delay-replay`` also takes ``seconds``; 0 ends it.
    """
    action = str(given.get("action"))
    instance = _find(str(given.get("instance")), str(given.get("region", "us-east-1")))
    if action in _ANY:
        _ANY[action](instance)
    elif action not in (*_REPLICA, DELAY):
        known = ", ".join([*_ANY, *_REPLICA, DELAY])
        raise UnknownDisturbanceError(f"{action} is not one of {known}.")
    elif instance.source is None or instance.replication_state == "terminated":
        raise UnknownDisturbanceError(f"{instance.identifier} follows no source.")
    elif action == DELAY:
        _delay(instance, _seconds(given.get("seconds")))
    else:
        _REPLICA[action](instance)


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise UnknownDisturbanceError(f"seconds is {value!r}; it must be from 0 to {LONGEST}.")
    return float(value)


def mirrored(runtime: Runtime) -> list[str]:
    """Return the ARNs of the instances that would fail over now, were their server to die."""
    with runtime.lock:
        return sorted(
            instance.arn
            for home in list(rds_backends[ACCOUNT].values())
            for instance in home.instances.values()
            if instance.standby.cluster is not None
        )


def _find(identifier: str, region: str) -> Instance:
    # Looked up without making it, as an index would.
    home = dict(rds_backends[ACCOUNT]).get(region)
    found = home.instances.get(identifier.lower()) if isinstance(home, Home) else None
    if found is None or found.cluster is None or not found.endpoint_known:
        raise UnknownDisturbanceError(f"There is no instance {identifier} in {region}.")
    return found
