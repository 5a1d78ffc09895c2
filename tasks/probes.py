"""Probing a login: it works, over TLS, on a server in the expected role."""

from __future__ import annotations

from dataclasses import dataclass

from haven.errors import Failed, HavenError, InvalidRequest, Unavailable
from haven.pg import Login, session
from haven.sql import QUERIES
from haven.waiting import Wait, wait_for
from tasks.kinds import looks

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said of itself, over a connection whose certificate was verified."""

    in_recovery: bool
    server_version: str


@looks
def probe_login(login: Login, interval: float) -> Answer:
    """Log in and ask; a role that was just made may have to reach a replica first."""
    seen = wait_for(
        Wait(
            what=f"a login as {login.where}",
            probe=lambda: try_login(login),
            reached=lambda seen: isinstance(seen, Answer),
            fatal=lambda _: None,
            interval=interval,
            deadline=PATIENCE,
        )
    )
    if isinstance(seen, HavenError):
        raise seen
    return seen


def try_login(login: Login) -> Answer | InvalidRequest | Unavailable:
    """Log in once; return what answered, or the refusal."""
    try:
        with session(login) as connection:
            encrypted = connection.pgconn.ssl_in_use
            row = connection.execute(QUERIES["probe_login"]).fetchone()
    except (InvalidRequest, Unavailable) as error:
        return error
    if row is None or not encrypted:
        raise Failed(f"The connection as {login.where} is not encrypted.")
    return Answer(in_recovery=bool(row[0]), server_version=str(row[1]))
