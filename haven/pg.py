"""PostgreSQL connections: TLS verified, passwords as verifiers, SQLSTATEs as our errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from haven.errors import Failed, HavenError, InvalidRequest, Unavailable

Connection = psycopg.Connection[tuple[Any, ...]]

# PostgreSQL, Appendix A: lock_not_available, deadlock, serialization failure; the server
# going or coming; connection exceptions.
RETRYABLE_STATES = frozenset({"55P03", "40P01", "40001", "57P01", "57P02", "57P03", "53300"})
AUTHENTICATION_STATES = frozenset({"28000", "28P01"})


@dataclass(frozen=True, slots=True)
class Login:
    """Where to log in and as whom. The password never shows in ``repr``.

    ``options`` are settings of the session (``-c name=value``); a proxy refuses them.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    ca_bundle: Path
    application: str = "haven"
    writable: bool = True
    connect_timeout: int = 10
    options: str = ""

    @property
    def where(self) -> str:
        """The login without its secret, for messages."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


def open_connection(login: Login, *, autocommit: bool = True) -> Connection:
    """Open a connection over verified TLS; close it with its own ``with`` block.

    Raises ``InvalidRequest`` when the login is refused, ``Unavailable`` when nobody answers.
    """
    try:
        return psycopg.connect(
            host=login.host,
            port=login.port,
            dbname=login.database,
            user=login.user,
            password=login.password,
            sslmode="verify-full",
            sslrootcert=str(login.ca_bundle),
            application_name=login.application,
            options=login.options,
            target_session_attrs="primary" if login.writable else "any",
            connect_timeout=login.connect_timeout,
            autocommit=autocommit,
            prepare_threshold=None,
        )
    except psycopg.OperationalError as error:
        raise connect_error(error, login) from None


@contextlib.contextmanager
def session(login: Login, *, autocommit: bool = True) -> Iterator[Connection]:
    """Hold a connection for a block, turning what PostgreSQL raises into our errors."""
    connection = open_connection(login, autocommit=autocommit)
    with contextlib.closing(connection):
        try:
            yield connection
        except psycopg.Error as error:
            raise sql_error(error, login.where) from error


def connect_error(error: psycopg.OperationalError, login: Login) -> HavenError:
    """Classify a refused or impossible connection without repeating any secret."""
    text = first_line(error)
    state = error.sqlstate or ""
    if state in AUTHENTICATION_STATES or "authentication failed" in text:
        return InvalidRequest(
            f"The login {login.where} was refused: {text}.",
            cure="Check that the secret of this role is current; provision repairs it.",
        )
    if "certificate" in text:
        return Failed(
            f"The server at {login.host}:{login.port} did not prove who it is: {text}.",
            cure="Check the CA bundle in the settings; the connection is never made without it.",
        )
    return Unavailable(
        f"No connection as {login.where}: {text}.",
        left="Nothing was changed by it.",
        cure="Run the same command again when the server answers.",
    )


def sql_error(error: psycopg.Error, where: str) -> HavenError:
    """Classify an error raised by a statement, by SQLSTATE only."""
    text = first_line(error)
    if is_transient(error):
        return Unavailable(f"{where}: {text}.", cure="Run the same command again to resume.")
    return Failed(f"{where}: {text} (SQLSTATE {error.sqlstate or 'none'}).")


def is_transient(error: psycopg.Error) -> bool:
    """Tell whether waiting can cure it: locks, restarts, lost connections."""
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)
    return state in RETRYABLE_STATES or state.startswith("08")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, without its final full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__


def scram_verifier(connection: Connection, role: str, password: str) -> str:
    """Compute a SCRAM-SHA-256 verifier on the client, so that no password is sent or logged."""
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    return verifier.decode()
