"""How far replicas are behind their primary, by what they have replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import psycopg

from haven.errors import HavenError, Unavailable
from haven.pg import Connection, Login, first_line, open_connection
from haven.sql import QUERIES
from haven.waiting import SYSTEM_CLOCK, Clock, Wait, wait_for

INTERVAL = 0.1


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
    found = {
        name: _wait(_Replica(login, lsn), max(0.0, end - clock.now()), clock)
        for name, login in replicas.items()
    }
    return {name: f"{wrong} within {limit:g} s" for name, wrong in found.items() if wrong}


class _Replica:
    """A replica that is asked until it has replayed; it may go away meanwhile, and come back."""

    def __init__(self, login: Login, lsn: str) -> None:
        self.wrong = ""
        self._login, self._lsn = login, lsn
        self._session = contextlib.ExitStack()
        self._connection: Connection | None = None

    def ask(self) -> bool:
        """Tell whether it has replayed; ``wrong`` says why not."""
        try:
            if self._connection is None:
                opened = open_connection(self._login)
                self._connection = self._session.enter_context(contextlib.closing(opened))
            row = self._connection.execute(QUERIES["has_replayed"], {"lsn": self._lsn}).fetchone()
        except (psycopg.Error, HavenError) as error:
            self.close()
            said = error.what if isinstance(error, HavenError) else first_line(error)
            self.wrong = f"could not be asked ({said})"
            return False
        replayed = bool(row and row[0])
        self.wrong = "" if replayed else f"has not replayed {self._lsn}"
        return replayed

    def close(self) -> None:
        """End the session."""
        self._session.close()
        self._connection = None


def _wait(replica: _Replica, limit: float, clock: Clock) -> str:
    wait = Wait(
        what="a replica to replay",
        probe=replica.ask,
        reached=bool,
        fatal=lambda _: None,
        interval=INTERVAL,
        deadline=limit,
    )
    with contextlib.closing(replica), contextlib.suppress(Unavailable):
        wait_for(wait, clock=clock)
    return replica.wrong
