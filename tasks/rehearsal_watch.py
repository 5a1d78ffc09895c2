"""Watching a rehearsal: who holds what, who waits for it, and how much WAL was written."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from haven.migrations.rehearsal import Locks, Look, stronger
from haven.pg import Connection, Login, open_connection
from haven.sql import QUERIES

INTERVAL_S = 0.005
LOAD = "haven_rehearsal"


@dataclass(slots=True)
class Watch:
    """Looks at one server process, every few milliseconds and whenever asked."""

    process: int
    connection: Connection
    looks: list[Look] = field(default_factory=list)

    def look(self) -> Look:
        """Look now; also kept with the others."""
        return _look(self.connection, self.process, self.looks)

    def seen(self, begin: float, end: float) -> Locks:
        """Return the strongest mode that was seen of each relation between two moments."""
        found: dict[str, str] = {}
        for look in [item for item in self.looks if begin <= item.at <= end]:
            for relation, mode in look.held.items():
                found[relation] = stronger(mode, found.get(relation, ""))
        return found

    def wal(self) -> int:
        """Return how many bytes of WAL statements have written so far, the load's left out."""
        row = self.connection.execute(QUERIES["rehearsal_wal"], {"load": LOAD}).fetchone()
        return int(row[0]) if row else 0


@contextlib.contextmanager
def watching(master: Login, process: int) -> Iterator[Watch]:
    """Watch a server process for a block, on two sessions of the master's."""
    stop = threading.Event()
    with (
        contextlib.closing(open_connection(master)) as asked,
        contextlib.closing(open_connection(master)) as steady,
    ):
        watch = Watch(process, asked)
        given = (steady, watch, stop)
        thread = threading.Thread(target=_keep_looking, name="haven-watch", args=given, daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            stop.set()
            thread.join()


def _keep_looking(connection: Connection, watch: Watch, stop: threading.Event) -> None:
    # A server that goes away ends the rehearsal elsewhere; here it ends the looking.
    with contextlib.suppress(psycopg.OperationalError):
        while not stop.wait(INTERVAL_S):
            _look(connection, watch.process, watch.looks)


def _look(connection: Connection, process: int, looks: list[Look]) -> Look:
    begin = time.monotonic()
    rows = connection.execute(QUERIES["rehearsal_look"], {"process": process}).fetchall()
    held: dict[str, str] = {}
    blocked: dict[int, str] = {}
    for waiting, relation, mode in rows:
        if waiting:
            blocked[waiting] = relation
        else:
            held[relation] = stronger(mode, held.get(relation, ""))
    look = Look((begin + time.monotonic()) / 2, held, blocked)
    looks.append(look)
    return look
