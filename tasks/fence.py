"""The fence inside a database: nobody logs in, transactions are read-only, no session is left.

All of it is written in the database, so it comes to every replica too. Roles that had a login are
marked in their comments, so that the fence's end gives it back to those and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql

from haven.identifiers import identifier
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from haven.waiting import Wait, wait_for
from tasks.kinds import changes, looks

MARK = " [fenced by haven]"
# The master has to write where nobody else may, and its commits are on disk when it is told so.
WRITING = "-c default_transaction_read_only=off -c synchronous_commit=on"
# Ended sessions take a moment to go.
GOING_S = 10.0


@dataclass(frozen=True, slots=True)
class Fence:
    """How a database's fence stands. ``written`` is the LSN of its last record."""

    read_only: bool
    open_roles: tuple[str, ...]
    closed_roles: tuple[str, ...]
    sessions: int
    written: str

    @property
    def stands(self) -> bool:
        """Tell whether nobody but the master can write."""
        return self.read_only and not self.open_roles and not self.sessions

    @property
    def is_down(self) -> bool:
        """Tell whether nothing of it is left."""
        return not self.read_only and not self.closed_roles

    @property
    def text(self) -> str:
        """Say what there is of it."""
        default = "read-only" if self.read_only else "writable"
        return (
            f"transactions begin {default}, {len(self.closed_roles)} roles are locked, "
            f"{len(self.open_roles)} are open, {self.sessions} sessions are left"
        )


@looks
def look_at_fence(master: Login) -> Fence:
    """Log in as the master and say how the fence stands."""
    with session(master) as connection:
        return _look(connection)


@changes
def raise_fence(master: Login, interval: float) -> Fence:
    """Close a database to everybody but the master, and end every session; return how it stands."""
    with session(master) as connection:
        with connection.transaction():
            for name, comment in connection.execute(QUERIES["fence_open_roles"]).fetchall():
                _comment(connection, name, comment.removesuffix(MARK) + MARK)
                _alter(connection, "fence_lock_role", role=name)
            _alter(connection, "fence_read_only", database=connection.info.dbname)
        wait_for(
            Wait(
                what="the end of every session",
                probe=lambda: _end_sessions(connection),
                reached=lambda count: not count,
                fatal=lambda _: None,
                interval=min(interval, 0.05),
                deadline=GOING_S,
                describe=lambda count: f"{count} sessions",
            )
        )
        connection.execute(QUERIES["fence_flush"])
        return _look(connection)


@changes
def lower_fence(master: Login) -> Fence:
    """Give back every login that the fence took, and let transactions write; return what is left."""
    with session(master) as connection:
        with connection.transaction():
            _alter(connection, "fence_writable", database=connection.info.dbname)
            for name, comment in _closed(connection):
                _alter(connection, "fence_unlock_role", role=name)
                _comment(connection, name, comment.removesuffix(MARK))
        return _look(connection)


@contextmanager
def readers_only(master: Login, role: str) -> Iterator[None]:
    """Let one role log in for a block: to read what is in a database that may be closed."""
    with session(master) as connection:
        closed = role in {name for name, _ in _closed(connection)}
        if closed:
            _alter(connection, "fence_unlock_role", role=role)
        try:
            yield
        finally:
            if closed:
                _alter(connection, "fence_lock_role", role=role)


def _end_sessions(connection: Connection) -> int:
    connection.execute(QUERIES["fence_end_sessions"])
    return _look(connection).sessions


def _look(connection: Connection) -> Fence:
    row = connection.execute(QUERIES["fence_state"]).fetchone() or (False, 0, "")
    roles = connection.execute(QUERIES["fence_open_roles"]).fetchall()
    return Fence(
        read_only=bool(row[0]),
        open_roles=tuple(name for name, _ in roles),
        closed_roles=tuple(name for name, _ in _closed(connection)),
        sessions=int(row[1]),
        written=str(row[2]),
    )


def _closed(connection: Connection) -> list[tuple[str, str]]:
    return connection.execute(QUERIES["fence_closed_roles"], {"mark": MARK}).fetchall()


def _alter(connection: Connection, query: str, **names: str) -> None:
    parts = {key: identifier(name) for key, name in names.items()}
    connection.execute(sql.SQL(QUERIES[query]).format(**parts))


def _comment(connection: Connection, role: str, text: str) -> None:
    statement = sql.SQL(QUERIES["fence_comment"])
    literal = sql.Literal(text) if text else sql.SQL("NULL")
    connection.execute(statement.format(role=identifier(role), text=literal))
