"""The sweep of PostgreSQL and network faults: servers die, sessions end, links break, locks are held."""

import random
from typing import Any

from haven import evidence
from tests.fault import hindrances
from tests.fault.cases import Case, Reference, Tried, differences
from tests.fault.child import Job
from tests.fault.disk import mountable, small_disk
from tests.fault.ground import PATIENCE, Ended, Ground, new_ground
from tests.fault.hindrances import PRIMARY, REPLICA, Act, Hinder
from tests.fault.operations import OPERATIONS
from tests.fault.relay import End, Link

TIMES = 4
# Of the number of bytes that the server sends in a run.
MOST_DIGITS = 4.6
# What a failover may change for good, and what says for a while that it went on.
MOVED = {"AvailabilityZone", "SecondaryAvailabilityZone", "DBInstanceStatus", "TargetHealth"}
# A run that was hindered so may end so, and is then run again.
RESUMABLE = ("Unavailable", "Conflict")


def postgres_faults(wanted: Reference, seed: int) -> list[Case]:
    """Return cases of every kind, some of them at several seeded moments."""
    if "provision" not in OPERATIONS[wanted.operation].start:
        return []
    chance = random.Random(seed)  # noqa: S311  # a seeded choice, not a secret
    latest = OPERATIONS[wanted.operation].latest
    moments = [round(chance.uniform(0, latest), 2) for _ in range(TIMES)]
    sizes = [round(10 ** chance.uniform(2, MOST_DIGITS)) for _ in range(TIMES)]
    acts = {
        "the primary is killed": hindrances.kill(PRIMARY),
        "a replica is killed": hindrances.kill(REPLICA),
        "its sessions are ended": hindrances.end_sessions,
        "its sessions are killed": hindrances.kill_sessions,
    }
    ends: list[End] = ["reset", "half"]
    if OPERATIONS[wanted.operation].bounded:
        ends.append("silence")
    return [
        *(_at(f"{what} after {at} s", at, act) for what, act in acts.items() for at in moments),
        *(
            _during(
                f"the link ends ({end}) after {size} bytes", hindrances.link(Link(0, size, end))
            )
            for end in ends
            for size in sizes
        ),
        _during("the link takes 20 ms for each piece", hindrances.link(Link(0.02))),
        _during("replay is paused", hindrances.replica("pause-replay", "resume-replay")),
        _during("a replica is cut off", hindrances.replica("cut-link", "restore-link")),
        _during("a replica lags", hindrances.lagging),
        _during("the primary stands still", hindrances.standstill),
        _during("all connections are taken", hindrances.exhausted),
        _at("all tables are locked", 0, hindrances.hold_tables),
        Case("the disk is full", "the disk is full", _on_a_full_disk),
    ]


def _at(name: str, moment: float, act: Act) -> Case:
    """Make a case in which something happens while the run is at work."""

    def attempt(ground: Ground, wanted: Reference) -> Tried:
        ground.bring(wanted.operation)
        child = ground.start(Job(wanted.operation))
        child.process.join(moment)
        tried = Tried(name, reached=act(ground, child))
        return _judged(ground, wanted, tried, child.wait())

    return Case(name, name.split(" after ", maxsplit=1)[0], attempt)


def _during(name: str, hinder: Hinder) -> Case:
    """Make a case in which something holds as long as the run lasts."""

    def attempt(ground: Ground, wanted: Reference) -> Tried:
        ground.bring(wanted.operation)
        with hinder(ground) as relay:
            ended = ground.run(Job(wanted.operation, ports=relay.ports if relay else {}))
        tried = Tried(name, reached=relay is None or relay.ended)
        return _judged(ground, wanted, tried, ended)

    return Case(name, name.split(" after ", maxsplit=1)[0], attempt)


def _on_a_full_disk(_ground: Ground, wanted: Reference) -> Tried:
    """Try it on a local cloud of its own, whose disk is small."""
    name = "the disk is full"
    if not mountable():
        return Tried(name, "only root can mount a small disk", reached=False)
    with new_ground(small_disk) as ground:
        return _during(name, hindrances.full).attempt(ground, wanted)


def _judged(ground: Ground, wanted: Reference, tried: Tried, ended: Ended) -> Tried:
    tried.how = f"{ended.kind} in {ended.seconds} s"
    ground.settle()
    if ended.status:
        refused = OPERATIONS[wanted.operation].may_refuse and ended.kind == "Refused"
        if ended.kind not in RESUMABLE and not refused:
            tried.wrong.append(f"it ended with {ended.kind}: {ended.text} {ended.said[-800:]}")
        again = ground.run(Job(wanted.operation, patience=PATIENCE))
        if again.status:
            tried.wrong.append(f"the run after it: {again.kind} {again.text} {again.said[-600:]}")
    tried.wrong += differences(_still(wanted.inventory), _still(ground.inventory()))
    tried.wrong += evidence.broken_links(ground.evidence())
    tried.wrong += OPERATIONS[wanted.operation].after(ground.account, ground.cloud.ca_bundle)
    return tried


def _still(value: Any) -> Any:
    """Leave out what a failover moves."""
    if isinstance(value, dict):
        return {key: _still(item) for key, item in value.items() if key not in MOVED}
    return [_still(item) for item in value] if isinstance(value, list) else value
