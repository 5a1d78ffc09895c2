"""Applications under load: they read their credentials as AWS's caching client does, and log in."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

QUERY = "SELECT count(*) FROM haven_health.patients"
Content = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Style:
    """How an application uses the database, and how long it rests between two queries."""

    proxy: bool
    pooled: bool
    pause: float


STYLES = tuple(
    Style(proxy, pooled, 0.04 if pooled else 0.08)
    for proxy in (True, False)
    for pooled in (True, False)
    for _ in range(2)
)


class CachedSecrets:
    """Secrets as AWS's caching clients keep them: each is read again once it is too old."""

    def __init__(self, client: Any, seconds: float) -> None:
        """Keep what is read for so many seconds."""
        self._client, self._seconds = client, seconds
        self._kept: dict[str, tuple[float, Content]] = {}

    def read(self, name: str) -> Content:
        """Return the content of a secret's current version."""
        until, content = self._kept.get(name, (0.0, {}))
        if time.monotonic() >= until:
            text = self._client.get_secret_value(SecretId=name)["SecretString"]
            content = json.loads(text)
            self._kept[name] = (time.monotonic() + self._seconds, content)
        return content


@dataclass(slots=True)
class Told:
    """What an application met."""

    queries: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Application:
    """One application: ``look_up`` says with which credentials it is to log in now."""

    style: Style
    look_up: Callable[[Style], Content]
    ca_bundle: Path
    told: Told = field(default_factory=Told)

    def work(self, stop: threading.Event) -> None:
        """Query until stopped; what fails is noted, and tried again as something new."""
        with contextlib.ExitStack() as pool:
            held: dict[str, Any] = {}
            while not stop.wait(self.style.pause):
                try:
                    self._query(pool, held)
                except psycopg.Error as error:
                    self.told.failures.append(str(error).splitlines()[0])
                    held.clear()
                    pool.close()
                else:
                    self.told.queries += 1

    def _query(self, pool: contextlib.ExitStack, held: dict[str, Any]) -> None:
        content = self.look_up(self.style)
        if not self.style.pooled:
            with connected(content, self.ca_bundle) as connection:
                connection.execute(QUERY).fetchone()
            return
        if held.get("as") != content:
            pool.close()
            held.update(
                {
                    "as": content,
                    "connection": pool.enter_context(connected(content, self.ca_bundle)),
                }
            )
        held["connection"].execute(QUERY).fetchone()


def connected(content: Content, ca_bundle: Path) -> psycopg.Connection[Any]:
    """Log in with the content of a secret."""
    return psycopg.connect(
        host=content["host"],
        port=content["port"],
        dbname=content["dbname"],
        user=content["username"],
        password=content["password"],
        sslmode="verify-full",
        sslrootcert=str(ca_bundle),
        autocommit=True,
    )


@contextlib.contextmanager
def at_work(applications: Sequence[Application]) -> Iterator[None]:
    """Let applications work for a block."""
    stop = threading.Event()
    threads = [threading.Thread(target=item.work, args=(stop,)) for item in applications]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
