"""Stacks that are promoted, and writers who count what was acknowledged."""

from __future__ import annotations

import json
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from flows.heartbeat import beat_once
from flows.migrate import MigrateParameters, migrate
from flows.promote_replica import promote_replica
from flows.promotion_models import PromoteParameters, PromoteReport
from flows.promotion_scene import Scene, look
from haven.errors import HavenError
from haven.pg import Login, open_connection, session
from haven.stack import names
from haven.stack.layout import Member
from haven.waiting import Wait, wait_for
from tests.local.provision.conftest import Place, place

__all__ = ["place"]

MAKE = """
SET ROLE haven_owner;
CREATE TABLE haven_health.written (id uuid PRIMARY KEY, n integer NOT NULL DEFAULT 0);
GRANT SELECT, INSERT, UPDATE, DELETE ON haven_health.written TO haven_app_rw;
GRANT SELECT ON haven_health.written TO haven_reader;
"""
INSERT = "INSERT INTO haven_health.written VALUES (%s)"
KEYS = "SELECT id::text FROM haven_health.written"


@pytest.fixture(scope="module")
def stack(place: Callable[..., Place], request: pytest.FixtureRequest) -> Iterator[Place]:
    """A stack of a module's own: migrated, beating, with a table to write to."""
    made = place(request.module.ENVIRONMENT)
    made.provision()
    migrate(made.run(), MigrateParameters())
    beat_once(made.settings)
    scene = look(made.run())
    with session(login(scene, "haven_migrator")) as connection:
        connection.execute(MAKE)
    yield made
    made.remove_instances()


def promote(stack: Place, **parameters: Any) -> PromoteReport:
    """Run a promotion once."""
    return promote_replica(stack.run(), PromoteParameters.model_validate(parameters))


def refusal(stack: Place, **parameters: Any) -> HavenError:
    """Return why a promotion was refused."""
    with pytest.raises(HavenError) as caught:
        promote(stack, **parameters)
    return caught.value


def primary(scene: Scene) -> Member:
    """Return the primary of a stack."""
    assert scene.primary is not None
    return scene.primary


def login(scene: Scene, user: str, member: Member | None = None) -> Login:
    """Return the login of a user at an instance, the primary unless another is given."""
    return scene.login(member or primary(scene), user, writable=True)


def by_proxy(stack: Place, user: str = names.FIRST_WRITER) -> Login:
    """Return a login through the proxy of the side where the primary is."""
    scene = look(stack.run())
    rds = stack.client("rds", primary(scene).region)
    proxy = rds.describe_db_proxies(DBProxyName=f"{stack.stack.prefix}-proxy")["DBProxies"][0]
    return replace(login(scene, user), host=proxy["Endpoint"], port=5432)


def control(stack: Place, name: str, method: str = "POST", **given: Any) -> Any:
    """Ask the control endpoint of the local cloud."""
    request = urllib.request.Request(  # noqa: S310  # loopback
        f"{stack.settings.endpoint_url}/localcloud/{name}",
        data=json.dumps(given).encode() if given else None,
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # loopback
        return json.load(answer)


def disturb(
    stack: Place, action: str, instance: str, region: str = "us-east-1", **more: Any
) -> None:
    """Do something to a server."""
    control(stack, "disturbances", action=action, instance=instance, region=region, **more)


@contextmanager
def frozen(stack: Place, member: Member) -> Iterator[None]:
    """Let a server stand still for a block, as one does that nobody can reach."""
    disturb(stack, "freeze", member.name, member.region)
    try:
        yield
    finally:
        disturb(stack, "thaw", member.name, member.region)


def keys_of(reader: Login) -> set[str]:
    """Return the keys that a server holds."""
    with session(replace(reader, writable=False)) as connection:
        return {row[0] for row in connection.execute(KEYS)}


def until(reached: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    wait_for(Wait("a writer", reached, bool, lambda _: None, 0.01, 30))


@dataclass(slots=True)
class Writer:
    """Inserts rows for as long as it may, and remembers those that were acknowledged.

    A row whose answer was lost may be there or not: it counts as neither.
    """

    login: Login
    acknowledged: set[str] = field(default_factory=set)
    refused: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Writer:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Write no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with open_connection(self.login) as connection:
                    self._write(connection)
            except (psycopg.Error, HavenError):
                self.refused += 1
                self._stop.wait(0.01)

    def _write(self, connection: psycopg.Connection[Any]) -> None:
        while not self._stop.is_set():
            key = str(uuid.uuid4())
            connection.execute(INSERT, (key,))
            self.acknowledged.add(key)


@contextmanager
def writing(*logins: Login) -> Iterator[list[Writer]]:
    """Let somebody write with each login for a block."""
    writers = [Writer(one).start() for one in logins]
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stop()
