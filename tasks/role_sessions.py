"""Sessions of a role: who is logged in, and ending them, those at rest first."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from haven.errors import Unavailable
from haven.pg import Login, session
from haven.sql import QUERIES
from haven.waiting import Wait, wait_for
from tasks.kinds import changes, looks

# Ended sessions take a moment to go.
GOING_S = 10.0


@dataclass(frozen=True, slots=True)
class Client:
    """Sessions of one client in one state, and on which server."""

    server: str
    application: str
    address: str
    state: str
    count: int


@looks
def role_sessions(servers: Mapping[str, Login], role: str) -> list[Client]:
    """Return who is logged in as a role on any of the servers."""
    return _all(servers, role)


@changes
def end_role_sessions(
    servers: Mapping[str, Login], role: str, interval: float, *, patience: float
) -> list[Client]:
    """End all sessions of a role; return whom that met.

    Those at rest are ended first, and those at work when they come to rest; after ``patience``
    seconds the rest are. Raises ``Unavailable`` when there are still some afterwards.
    """
    met = _all(servers, role)

    def left(*, everyone: bool) -> int:
        for login in servers.values():
            with session(login) as connection:
                connection.execute(QUERIES["end_role_sessions"], {"role": role, "all": everyone})
        return sum(item.count for item in _all(servers, role))

    def wait(limit: float, *, everyone: bool) -> None:
        wait_for(
            Wait(
                what=f"the end of the sessions of {role}",
                probe=lambda: left(everyone=everyone),
                reached=lambda count: not count,
                fatal=lambda _: None,
                interval=interval,
                deadline=limit,
                describe=lambda count: f"{count} sessions",
            )
        )

    with contextlib.suppress(Unavailable):
        wait(patience, everyone=False)
    wait(GOING_S, everyone=True)
    return met


def _all(servers: Mapping[str, Login], role: str) -> list[Client]:
    return [client for name, login in servers.items() for client in _seen(name, login, role)]


def _seen(name: str, login: Login, role: str) -> list[Client]:
    with session(login) as connection:
        rows = connection.execute(QUERIES["role_sessions"], {"role": role}).fetchall()
    return [Client(name, *row) for row in rows]
