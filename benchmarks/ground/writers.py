"""Writers who remember what was acknowledged: direct and through the proxy, however often refused."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from haven.errors import HavenError
from haven.pg import Connection, Login, open_connection

TABLE = """
SET ROLE haven_owner;
CREATE TABLE haven_health.written (id uuid PRIMARY KEY);
GRANT SELECT, INSERT ON haven_health.written TO haven_app_rw;
GRANT SELECT ON haven_health.written TO haven_reader;
"""
INSERT = "INSERT INTO haven_health.written VALUES (%s)"
KEYS = "SELECT id::text FROM haven_health.written"


@dataclass(slots=True)
class Writer:
    """One client: a row at a time, each its own transaction. A row without an answer counts as none."""

    login: Login
    acknowledged: set[str] = field(default_factory=set)

    def work(self, stop: threading.Event) -> None:
        """Write until stopped; log in again after whatever went wrong."""
        while not stop.is_set():
            try:
                with open_connection(self.login) as connection:
                    self._write(connection, stop)
            except (psycopg.Error, HavenError):
                stop.wait(0.02)

    def _write(self, connection: Connection, stop: threading.Event) -> None:
        while not stop.is_set():
            key = str(uuid.uuid4())
            connection.execute(INSERT, (key,))
            self.acknowledged.add(key)


@contextmanager
def writing(logins: Sequence[Login]) -> Iterator[list[Writer]]:
    """Let somebody write with each login for a block."""
    stop = threading.Event()
    writers = [Writer(login) for login in logins]
    threads = [threading.Thread(target=item.work, args=(stop,)) for item in writers]
    for thread in threads:
        thread.start()
    try:
        yield writers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
