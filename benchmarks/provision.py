"""How close provisioning comes to its critical path, and how a second run costs nothing.

Starts a local cloud where each AWS call takes 50 ms, an instance 5 s, a replica 4 s and a proxy,
or the registration of its target, 3 s. Then compares

- the wall time of ``provision`` of the stack 'local';
- its critical path: the longest chain of steps through the plan's needs, where a step costs its
  floor, that is 50 ms for each of its calls, repeated polls of one wait counted once, plus the time
  of its kind above; and 50 ms for each call before and after, of which observation counts those
  of its longest look. No measured time is in it;
- the same stack made by ``peers/sequential.py``, a plain boto3 script that does one thing after another.

Without any latency it measures a first and a second provision. Medians; the last line is JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers import sequential

from flows.endpoints import MASTER, writer_logins
from flows.frame import Run, open_run
from flows.observation import observe_stack
from flows.provision import ProvisionParameters, ProvisionReport, provision
from haven.aws import Call
from haven.pg import session
from haven.settings import Settings
from haven.stack.databases import ROLES
from haven.stack.instance import Instance
from haven.stack.proxy import Proxy, ProxyTarget
from haven.stack.resource import Resource
from haven.stack.secret import Secret
from haven.stack.topology import topology
from localcloud import process

RUNS = 3
API, INSTANCE, REPLICA, PROXY = 0.05, 5.0, 4.0, 3.0
LATENCY = {"api": API, "instance": INSTANCE, "replica": REPLICA, "proxy": PROXY}
POLLS = ("DescribeDBInstances", "DescribeDBProxies", "DescribeDBProxyTargets")
GOALS = {
    "ratio_to_critical_path": 1.10,
    "seconds_without_latency": 20.0,
    "second_reads": 60,
    "second_writes": 0,
    "second_rows_written": 0,
}
ROWS_WRITTEN = "SELECT sum(tup_inserted + tup_updated + tup_deleted)::int FROM pg_stat_database"


@dataclass(frozen=True, slots=True)
class Measured:
    """One provision: its wall time, its critical path, and the steps on it."""

    wall: float
    path: float
    chain: tuple[str, ...]


def main() -> int:
    """Measure everything and print the figures; exit 0 when the goals are held."""
    runs = [_with_latency() for _ in range(RUNS)]
    for run in runs:
        print(
            f"wall {run.wall:6.2f} s   critical path {run.path:6.2f} s   {run.wall / run.path:.3f}"
        )
    print("critical path: " + " -> ".join(runs[0].chain))
    peer = _sequential()
    print(f"sequential boto3 script: {peer:.2f} s")
    quick, second, rows = _without_latency()
    figures = {
        "wall": round(statistics.median(run.wall for run in runs), 3),
        "critical_path": round(statistics.median(run.path for run in runs), 3),
        "ratio_to_critical_path": round(statistics.median(run.wall / run.path for run in runs), 3),
        "sequential_script": round(peer, 3),
        "seconds_without_latency": round(quick.seconds, 3),
        "second_reads": second.aws_reads,
        "second_writes": second.aws_writes,
        "second_rows_written": rows,
    }
    held = all(figures[name] <= goal for name, goal in GOALS.items())
    print(json.dumps({"benchmark": "provision", "figures": figures, "goals": GOALS, "held": held}))
    return 0 if held else 1


@contextmanager
def _cloud(latency: Mapping[str, float]) -> Iterator[process.Running]:
    parent = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=parent if parent.is_dir() else None) as folder:
        Path(folder).chmod(0o711)
        with process.start(Path(folder), latency=latency) as running:
            yield running


def _open(cloud: process.Running) -> Run:
    return open_run(
        Settings(stack="local", endpoint_url=cloud.endpoint_url, ca_bundle=cloud.ca_bundle)
    )


def _with_latency() -> Measured:
    with _cloud(LATENCY) as cloud:
        run = _open(cloud)
        begin = time.monotonic()
        provision(run, ProvisionParameters())
        wall = time.monotonic() - begin
        with urllib.request.urlopen(f"{cloud.endpoint_url}/localcloud/calls") as answer:  # noqa: S310  # loopback
            total = len(json.load(answer)["calls"])
    resources = topology(run.loaded.stack)
    beside = total - len(run.journal.calls)
    path, chain = critical_path(run.journal.calls, resources, beside)
    return Measured(wall, path, chain)


def critical_path(
    calls: Iterable[Call], resources: Iterable[Resource], beside: int
) -> tuple[float, tuple[str, ...]]:
    """Return the critical path in seconds and its steps; ``beside`` are lock and evidence calls."""
    by_step: dict[str, Counter[str]] = {}
    for call in calls:
        by_step.setdefault(call.step, Counter())[call.operation] += 1
    known = {resource.address: resource for resource in resources}
    floors = {name: _floor(known[name], by_step.get(name, Counter())) for name in known}
    needs = {name: resource.needs for name, resource in known.items()}
    floors[ROLES] = API * sum(by_step.get(ROLES, Counter()).values())
    needs[ROLES] = tuple(
        name
        for name, resource in known.items()
        if isinstance(resource, Secret)
        or (isinstance(resource, Instance) and not resource.is_replica)
    )
    ends: dict[str, tuple[float, tuple[str, ...]]] = {}

    def end(name: str) -> tuple[float, tuple[str, ...]]:
        if name not in ends:
            before = max((end(need) for need in needs[name]), default=(0.0, ()))
            ends[name] = (before[0] + floors[name], (*before[1], name))
        return ends[name]

    seconds, chain = max(end(name) for name in floors)
    looks = [sum(count.values()) for step, count in by_step.items() if step not in floors and step]
    serial = sum(by_step.get("", Counter()).values()) + beside + max(looks)
    return seconds + API * serial, chain


def _floor(resource: Resource, calls: Counter[str]) -> float:
    count = sum(1 if name in POLLS else times for name, times in calls.items())
    match resource:
        case Instance():
            kind = REPLICA if resource.is_replica else INSTANCE
        case Proxy() | ProxyTarget():
            kind = PROXY
        case _:
            kind = 0.0
    return API * count + kind


def _sequential() -> float:
    with _cloud(LATENCY) as cloud:
        begin = time.monotonic()
        sequential.make_stack(cloud.endpoint_url)
        return time.monotonic() - begin


def _without_latency() -> tuple[ProvisionReport, ProvisionReport, int]:
    """Return both reports, and the rows that the server says were written by the second."""
    with _cloud({}) as cloud:
        first = provision(_open(cloud), ProvisionParameters())
        before = _rows_written(_open(cloud))
        second = provision(_open(cloud), ProvisionParameters())
        return first, second, _rows_written(_open(cloud)) - before


def _rows_written(run: Run) -> int:
    """Return what the primary's own statistics count, in all its databases."""
    observed = observe_stack(run, topology(run.loaded.stack))
    with session(writer_logins(run, observed, [MASTER])[MASTER]) as connection:
        row = connection.execute(ROWS_WRITTEN).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    sys.exit(main())
