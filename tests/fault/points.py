"""Where a run can be hit: before and after every AWS request, SQL statement and connect.

A point is named by the step at work, what it does, and how often it did so before, since
several threads reach their points in no fixed order.
"""

import json
import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from botocore.endpoint import Endpoint

from haven.aws import CURRENT_STEP

KILLED = 137
# A poll repeats as often as the machine is slow: its first rounds stand for all.
ROUNDS_OF_A_POLL = 2
POLLS = ("aws rds:Describe", "sql SELECT pg_is_in_recovery()")
# Threads that do the same over and over beside what the run is for.
LOOPS = ("haven-load", "haven-watch")
SIDES = ("before", "after")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One place at which a run can be killed."""

    label: str
    occurrence: int
    side: str

    @property
    def name(self) -> str:
        """The point, for people."""
        return f"{self.side} {self.label} #{self.occurrence}"


class Tripwire:
    """Counts what a run does; writes every point down, or ends the process at one of them."""

    def __init__(self, target: Point | None = None, at_count: int | None = None) -> None:
        """Kill at a point, at the n-th of all points, or never."""
        self._target = target
        self._left = at_count
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.points: list[Point] = []

    def enter(self, label: str) -> int:
        """Note that something is about to be done; return how often it was begun."""
        with self._lock:
            self._seen[label] += 1
            occurrence = self._seen[label]
        self._reach(Point(label, occurrence, "before"))
        return occurrence

    def leave(self, label: str, occurrence: int) -> None:
        """Note that it was done."""
        self._reach(Point(label, occurrence, "after"))

    def _reach(self, point: Point) -> None:
        with self._lock:
            if point.occurrence <= ROUNDS_OF_A_POLL or not _is_poll(point):
                self.points.append(point)
            if self._left is not None:
                self._left -= 1
            last = self._left == 0
        if point == self._target or last:
            os._exit(KILLED)

    def write(self, path: Path) -> None:
        """Write the points reached, in order."""
        rows = [[point.label, point.occurrence, point.side] for point in self.points]
        path.write_text(json.dumps(rows), encoding="utf-8")


def _is_poll(point: Point) -> bool:
    return point.label.startswith(POLLS) or threading.current_thread().name in LOOPS


def read_points(path: Path) -> list[Point]:
    """Read what ``Tripwire.write`` wrote."""
    return [Point(*row) for row in json.loads(path.read_text(encoding="utf-8"))]


def install(wire: Tripwire, ports: Mapping[str, int]) -> None:
    """Lay the wire through botocore and psycopg, for the life of this process.

    ``ports`` are used instead of others, by host and port.
    """
    _through_botocore(wire)
    _through_psycopg(wire, ports)


def _through_botocore(wire: Tripwire) -> None:
    send = Endpoint._do_get_response

    def watched(self: Any, request: Any, model: Any, *rest: Any) -> Any:
        if threading.current_thread().name == "haven-lease":
            return send(self, request, model, *rest)
        service = model.service_model.service_name
        label = f"aws {service}:{model.name} in {CURRENT_STEP.get() or 'frame'}"
        occurrence = wire.enter(label)
        answer = send(self, request, model, *rest)
        wire.leave(label, occurrence)
        return answer

    Endpoint._do_get_response = watched


def _through_psycopg(wire: Tripwire, ports: Mapping[str, int]) -> None:
    connection: Any = psycopg.Connection
    wait, connect = connection.wait, connection.connect.__func__

    def watched(self: Any, gen: Any, *args: Any, **named: Any) -> Any:
        label = f"sql {_statement(gen)} in {CURRENT_STEP.get() or 'frame'}"
        occurrence = wire.enter(label)
        answer = wait(self, gen, *args, **named)
        wire.leave(label, occurrence)
        return answer

    def connected(cls: Any, *args: Any, **named: Any) -> Any:
        label = f"connect {named.get('user', '')} in {CURRENT_STEP.get() or 'frame'}"
        named["port"] = ports.get(f"{named.get('host')}:{named.get('port')}", named.get("port"))
        occurrence = wire.enter(label)
        answer = connect(cls, *args, **named)
        wire.leave(label, occurrence)
        return answer

    connection.wait = watched
    connection.connect = classmethod(connected)
    psycopg.connect = connection.connect


def _statement(gen: Any) -> str:
    """Name what a generator of psycopg will send: its first words, never its values."""
    frame = gen.gi_frame
    query = frame.f_locals.get("query", "") if frame else ""
    if isinstance(query, bytes):
        query = query.decode(errors="replace")
    if not isinstance(query, str):
        query = query.as_string(None) if hasattr(query, "as_string") else ""
    lines = [line for line in query.splitlines() if not line.lstrip().startswith("--")]
    words = " ".join(" ".join(lines).split()[:4])
    return words or str(gen.gi_code.co_name).strip("_")
