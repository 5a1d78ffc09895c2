"""A heart at work in a thread, what it said, and waiting for what must come."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from flows.endpoints import MASTER, home_instances, writer_login
from flows.frame import open_run
from flows.heartbeat import APPLICATION, Heart, Pace, keep_beating
from haven.errors import HavenError, Unavailable
from haven.pg import session
from haven.settings import Settings
from haven.waiting import SystemClock
from tests.local.provision.conftest import Place

T = TypeVar("T")

LIMIT = 60.0
BEATING = "Beating on "
NO_BEAT = "No beat: "
PACE = Pace(interval=0.05, retry_from=0.05, retry_to=0.2)


def until(wanted: Callable[[], T | None], what: object = "") -> T:
    """Ask until something true comes back, and return that."""
    pause, end = threading.Event(), time.monotonic() + LIMIT
    while time.monotonic() < end:
        with contextlib.suppress(HavenError):
            if found := wanted():
                return found
        pause.wait(0.05)
    raise AssertionError(f"it never came true: {what}")


@dataclass(slots=True)
class Beating:
    """A heart in a thread; ``said`` is every line that it told."""

    heart: Heart
    clock: SystemClock
    said: list[str] = field(default_factory=list)

    def more(self, count: int = 3) -> None:
        """Return once so many more beats were written."""
        wanted = self.heart.beats + count
        until(lambda: self.heart.beats >= wanted, self.said)

    def says(self, text: str) -> str:
        """Return the first line with a text in it, once there is one."""
        return until(lambda: next((line for line in self.said if text in line), ""), self.said)


@contextlib.contextmanager
def beating(settings: Settings, pace: Pace = PACE, *, quiet: bool = False) -> Iterator[Beating]:
    """Let a heart beat for a block."""
    clock = SystemClock()
    it = Beating(Heart(settings, look_again=pace.look_again, clock=clock), clock)

    def work() -> None:
        with contextlib.suppress(Unavailable):
            keep_beating(it.heart, pace, it.said.append, quiet=quiet, clock=clock)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield it
    finally:
        clock.stop()
        thread.join(LIMIT)
        assert not thread.is_alive()


def as_master(place: Place, statement: str) -> list[tuple[object, ...]]:
    """Run a statement on the writer as the master, and return its rows."""
    with session(writer_login(place.run(), None, MASTER)) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def as_migrator(place: Place, statement: str) -> None:
    """Run a statement on the writer as who writes the heartbeat."""
    with session(writer_login(place.run(), None, "haven_migrator")) as connection:
        connection.execute(statement.encode())


def end_its_session(place: Place) -> None:
    """End the heart's session, as a failover or a rotation does."""
    ended = as_master(
        place,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608  # our own name
        f"WHERE application_name = '{APPLICATION}'",
    )
    assert ended


def resource_id(place: Place) -> str:
    """Return the resource id of the primary, as RDS describes it."""
    run = open_run(place.settings)
    return next(
        item.outputs["resource_id"]
        for item in home_instances(run).values()
        if item.resource.name == place.primary
    )
