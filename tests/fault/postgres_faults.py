"""The sweep of PostgreSQL and network faults: servers die, sessions end, links break, locks are held."""

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from haven import evidence
from tests.fault.cases import Case, Reference, Tried, differences
from tests.fault.catalogue import connected, secret
from tests.fault.child import Job
from tests.fault.ground import PATIENCE, PREFIX, Ended, Ground
from tests.fault.relay import Link, relayed

LATEST = 0.6
TIMES = 4
PRIMARY, REPLICA = f"{PREFIX}-primary", f"{PREFIX}-replica-1"
FROM_THE_SERVER = 40_000
# What a failover may change for good, and what says for a while that it went on.
MOVED = {"AvailabilityZone", "SecondaryAvailabilityZone", "DBInstanceStatus", "TargetHealth"}
# A run that was hindered so may end so, and is then run again.
RESUMABLE = ("Unavailable", "Conflict")
Hinder = Callable[[Ground], contextlib.AbstractContextManager[dict[str, int] | None]]


def postgres_faults(_wanted: Reference, seed: int) -> list[Case]:
    """Return cases of every kind, some of them at several seeded moments."""
    chance = random.Random(seed)  # noqa: S311  # a seeded choice, not a secret
    moments = [round(chance.uniform(0, LATEST), 2) for _ in range(TIMES)]
    sizes = [chance.randint(1, FROM_THE_SERVER) for _ in range(TIMES)]
    return [
        *(_at(f"the primary is killed after {at} s", at, _kill(PRIMARY)) for at in moments),
        *(_at(f"a replica is killed after {at} s", at, _kill(REPLICA)) for at in moments),
        *(_at(f"its sessions are ended after {at} s", at, _end_sessions) for at in moments),
        *(_during(f"the link breaks after {size} bytes", _link(Link(0, size))) for size in sizes),
        _during("the link takes 20 ms for each piece", _link(Link(0.02))),
        _during("replay is paused on a replica", _paused),
        _during("all connections are taken", _exhausted),
    ]


def _at(name: str, moment: float, act: Callable[[Ground], None]) -> Case:
    """Make a case in which something happens while the run is at work."""

    def attempt(ground: Ground, wanted: Reference) -> Tried:
        ground.bring(wanted.operation)
        child = ground.start(Job(wanted.operation))
        child.process.join(moment)
        act(ground)
        return _judged(ground, wanted, Tried(name), child.wait())

    return Case(name, name.split(" after ", maxsplit=1)[0], attempt)


def _during(name: str, hinder: Hinder) -> Case:
    """Make a case in which something holds as long as the run lasts."""

    def attempt(ground: Ground, wanted: Reference) -> Tried:
        ground.bring(wanted.operation)
        with hinder(ground) as ports:
            ended = ground.run(Job(wanted.operation, ports=ports or {}))
        return _judged(ground, wanted, Tried(name), ended)

    return Case(name, name.split(" after ", maxsplit=1)[0], attempt)


def _judged(ground: Ground, wanted: Reference, tried: Tried, ended: Ended) -> Tried:
    tried.how = f"{ended.kind} in {ended.seconds} s"
    ground.settle()
    if ended.status:
        if ended.kind not in RESUMABLE:
            tried.wrong.append(f"it ended with {ended.kind}: {ended.text} {ended.said[-800:]}")
        again = ground.run(Job(wanted.operation, patience=PATIENCE))
        if again.status:
            tried.wrong.append(f"the run after it: {again.kind} {again.text} {again.said[-600:]}")
    tried.wrong += differences(_still(wanted.inventory), _still(ground.inventory()))
    tried.wrong += evidence.broken_links(ground.evidence())
    return tried


def _still(value: Any) -> Any:
    """Leave out what a failover moves."""
    if isinstance(value, dict):
        return {key: _still(item) for key, item in value.items() if key not in MOVED}
    return [_still(item) for item in value] if isinstance(value, list) else value


def _kill(instance: str) -> Callable[[Ground], None]:
    def act(ground: Ground) -> None:
        given = {"action": "kill", "instance": instance, "region": "us-east-1"}
        ground.control("POST", "disturbances", given)

    return act


def _end_sessions(ground: Ground) -> None:
    with connected(ground.account, ground.cloud.ca_bundle, "master") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename LIKE 'haven%' AND pid <> pg_backend_pid()"
        )


def _link(link: Link) -> Hinder:
    @contextlib.contextmanager
    def hinder(ground: Ground) -> Iterator[dict[str, int]]:
        content = secret(ground.account, "master") or {}
        with relayed(content["host"], int(content["port"]), link) as ports:
            yield ports

    return hinder


@contextlib.contextmanager
def _paused(ground: Ground) -> Iterator[None]:
    given = {"instance": REPLICA, "region": "us-east-1"}
    ground.control("POST", "disturbances", {"action": "pause-replay", **given})
    yield
    ground.control("POST", "disturbances", {"action": "resume-replay", **given})


@contextlib.contextmanager
def _exhausted(ground: Ground) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.enter_context(
                    connected(ground.account, ground.cloud.ca_bundle, "haven_migrator")
                )
        yield
