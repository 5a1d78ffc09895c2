"""The floor of a promotion: PostgreSQL's own pg_promote() on a standby, to the first write on it.

Two plain servers on a private socket: no RDS, no proxy, no fence, nobody to tell.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from localcloud.binaries import Binaries, find
from localcloud.unprivileged import Owner, server_owner

SETTINGS = "fsync=off\nlisten_addresses=''\nwal_level=replica\nmax_wal_senders=4\n"
PORTS = (5433, 5434)


@contextmanager
def pair(folder: Path) -> Iterator[psycopg.Connection[Any]]:
    """Run a primary and a standby that streams from it; yield a session on the standby."""
    binaries, owner = find(), server_owner()
    home = owner.directory(folder)
    first, second = home / "first", home / "second"
    owner.run([binaries.program("initdb"), "-D", first, "-U", "bench", "-A", "trust", "-N"])
    _configure(owner, first, home, PORTS[0])
    with _running(binaries, owner, first):
        with _connected(home, PORTS[0]) as connection:
            connection.execute("CREATE TABLE written (at timestamptz)")
        copy: list[str | Path] = [binaries.program("pg_basebackup"), "-D", second]
        copy += ["-R", "-X", "stream", "-c", "fast", "-h", home, "-p", str(PORTS[0]), "-U", "bench"]
        owner.run(copy)
        _configure(owner, second, home, PORTS[1])
        with _running(binaries, owner, second), _connected(home, PORTS[1]) as standby:
            _await_streaming(standby)
            yield standby


def seconds_to_write(standby: psycopg.Connection[Any]) -> float:
    """Promote, and write as soon as that is possible."""
    begin = time.monotonic()
    standby.execute("SELECT pg_promote(true, 60)")
    standby.execute("INSERT INTO written VALUES (clock_timestamp())")
    return time.monotonic() - begin


def _configure(owner: Owner, directory: Path, home: Path, port: int) -> None:
    text = f"{SETTINGS}port={port}\nunix_socket_directories='{home}'\n"
    owner.write(directory / "postgresql.conf", text)


@contextmanager
def _running(binaries: Binaries, owner: Owner, directory: Path) -> Iterator[None]:
    control = binaries.program("pg_ctl")
    owner.run([control, "-D", directory, "-l", directory / "log", "-w", "start"])
    try:
        yield
    finally:
        owner.run([control, "-D", directory, "-m", "immediate", "-w", "stop"])


def _connected(home: Path, port: int) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=str(home), port=port, user="bench", dbname="postgres", autocommit=True
    )


def _await_streaming(standby: psycopg.Connection[Any]) -> None:
    end = time.monotonic() + 30
    while not standby.execute(
        "SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    ).rowcount:
        if time.monotonic() > end:
            raise TimeoutError("the standby does not stream")
