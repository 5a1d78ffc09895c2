"""How far replicas are behind their primary, by what they have replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from haven.errors import HavenError, Unavailable
from haven.pg import Connection, Login, open_connection
from haven.sql import QUERIES
from haven.waiting import SYSTEM_CLOCK, Clock, Wait, wait_for


def written_lsn(connection: Connection) -> str:
    """Return how far a primary has written."""
    (lsn,) = connection.execute(QUERIES["written_lsn"]).fetchone() or ("",)
    return str(lsn)


def behind(
    replicas: Mapping[str, Login], lsn: str, limit: float, *, clock: Clock = SYSTEM_CLOCK
) -> dict[str, str]:
    """Say of each replica that has not replayed ``lsn`` within ``limit`` seconds what is wrong.

    The limit is for all of them together; replicas that are done in time are left out.
    """
    end = clock.now() + limit
    found: dict[str, str] = {}
    for name, login in replicas.items():
        try:
            _await_replay(login, lsn, max(0.0, end - clock.now()), clock)
        except Unavailable:
            found[name] = f"has not replayed {lsn} within {limit:g} s"
        except HavenError as error:
            found[name] = f"cannot be asked: {error.what}"
    return found


def _await_replay(login: Login, lsn: str, limit: float, clock: Clock) -> None:
    with contextlib.closing(open_connection(login)) as connection:

        def replayed() -> bool:
            row = connection.execute(QUERIES["has_replayed"], {"lsn": lsn}).fetchone()
            return bool(row and row[0])

        wait_for(
            Wait(
                what=f"{login.where} to replay {lsn}",
                probe=replayed,
                reached=bool,
                fatal=lambda _: None,
                interval=0.05,
                deadline=limit,
            ),
            clock=clock,
        )
