"""PostgreSQL connections: TLS verified, passwords as verifiers, SQLSTATEs as our errors."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from haven.errors import Failed, HavenError, InvalidRequest, Unavailable

Connection = psycopg.Connection[tuple[Any, ...]]

DISK_FULL = "53100"
# Messages of this class quote the data that was wrong, which may be a patient's.
DATA_EXCEPTION = "22"
# PostgreSQL, Appendix A: lock_not_available, deadlock, serialization failure; the server
# going or coming; connection exceptions.
RETRYABLE_STATES = frozenset({"55P03", "40P01", "40001", "57P01", "57P02", "57P03", "53300"})
AUTHENTICATION_STATES = frozenset({"28000", "28P01"})
# libpq hands on no SQLSTATE of a refused login. The last two are RDS Proxy's (RDS User Guide,
# "Troubleshooting for RDS Proxy").
REFUSALS = (
    "authentication failed",
    "is not permitted to log in",
    "The password that was provided for the role",
    "has no credentials for the role",
)

# What libpq says before a server has proved who it is; no SQLSTATE goes with it.
UNPROVEN = (
    "certificate",
    "server does not support SSL",
    "protocol version",
    "unsupported protocol",
)
DEMANDING = "authentication method requirement"

# Files of a person's own, and weaker ways than ours, that libpq would take by default.
FIXED: Mapping[str, str] = {
    "sslmode": "verify-full",
    "sslcertmode": "disable",
    "sslcrl": os.devnull,
    "passfile": os.devnull,
    "gssencmode": "disable",
    "require_auth": "scram-sha-256,md5",
    # A host that vanished, as in a failover, says nothing: it is given up after half a minute.
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# Variables that libpq reads besides those of its connection parameters (libpq, 32.15).
BESIDES = ("PGSERVICEFILE", "PGSYSCONFDIR", "PGTZ", "PGDATESTYLE", "PGGEQO", "PGREALM")
_ENVIRONMENT = threading.Lock()


@dataclass(frozen=True, slots=True)
class Login:
    """Where to log in and as whom. The password never shows in ``repr``.

    ``options`` are settings of the session (``-c name=value``); a proxy refuses them.
    ``answer_limit`` is the longest wait for one answer, in seconds; None is as long as it takes.
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
    answer_limit: float | None = 60.0
    options: str = ""

    @property
    def where(self) -> str:
        """The login without its secret, for messages."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


class BoundedConnection(Connection):
    """A connection that is given up when an answer takes too long.

    A server that stands still keeps its sockets open, so that nothing else would ever tell.
    """

    answer_limit: float | None = None

    # typing.override comes with Python 3.12.
    def wait(  # type: ignore[explicit-override]
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """Wait for an answer. Raises ``OperationalError`` and closes when the limit passes."""
        limit = timeout or self.answer_limit
        begin = time.monotonic()
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError as error:
            if error.sqlstate or limit is None or time.monotonic() - begin < limit:
                raise
            self.close()
            raise psycopg.OperationalError(f"no answer within {limit:g} s") from None


def open_connection(login: Login, *, autocommit: bool = True) -> Connection:
    """Open a connection over verified TLS; close it with its own ``with`` block.

    Raises ``InvalidRequest`` when the login is refused, ``Unavailable`` when nobody answers,
    ``Failed`` when who answers does not prove who it is; then no password was sent.
    """
    _refuse_nul(login)
    forget_surroundings()
    try:
        connection = BoundedConnection.connect(
            make_conninfo(**FIXED),
            host=login.host,
            port=login.port,
            dbname=login.database,
            user=login.user,
            password=login.password,
            sslrootcert=str(login.ca_bundle),
            application_name=login.application,
            options=login.options,
            target_session_attrs="primary" if login.writable else "any",
            connect_timeout=login.connect_timeout,
            autocommit=autocommit,
            prepare_threshold=None,
        )
    except psycopg.OperationalError as error:
        refusal = connect_error(error, login)
    else:
        connection.answer_limit = login.answer_limit
        return connection
    # Out here, since psycopg's own error keeps the password, and would come along as the context.
    raise refusal


def _refuse_nul(login: Login) -> None:
    """Refuse what libpq would cut off at a NUL, together with every parameter after it."""
    texts = {item.name: str(getattr(login, item.name)) for item in fields(login)}
    cut = [name for name, text in texts.items() if "\0" in text]
    if cut:
        raise InvalidRequest(
            f"The login {login.where!a} holds a NUL character in: {', '.join(cut)}.",
            left="Nothing was sent.",
            cure="Check the secret of this role; provision repairs it.",
        )


def forget_surroundings() -> None:
    """Take what libpq reads from the environment out of this process, for good.

    A ``Login`` says everything: a service, a time zone or an address that was meant for psql must
    not change what Haven connects to, nor how its session behaves.
    """
    with _ENVIRONMENT:
        known = [option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar]
        for name in (*known, *BESIDES):
            os.environ.pop(name, None)  # noqa: TID251  # taken out, not read


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
    if state in AUTHENTICATION_STATES or any(words in text for words in REFUSALS):
        return InvalidRequest(
            f"The login {login.where} was refused: {text}.",
            cure="Check that the secret of this role is current; provision repairs it.",
        )
    if any(words in text for words in UNPROVEN):
        return Failed(
            f"The server at {login.host}:{login.port} did not prove who it is: {text}.",
            left="No password was sent.",
            cure="Check the CA bundle in the settings; the connection is never made without it.",
        )
    if DEMANDING in text:
        return Failed(
            f"The server at {login.host}:{login.port} asks for the password in a way that "
            f"would give it away: {text}.",
            left="No password was sent.",
            cure="Find out who answers there; RDS asks for SCRAM or MD5.",
        )
    return Unavailable(
        f"No connection as {login.where}: {text}.",
        left="Nothing was changed by it.",
        cure="Run the same command again when the server answers.",
    )


def sql_error(error: psycopg.Error, where: str) -> HavenError:
    """Classify an error raised by a statement, by SQLSTATE only; data stay out of its text."""
    text = without_data(error) or first_line(error)
    if error.sqlstate == DISK_FULL:
        return Unavailable(
            f"{where}: {text}.",
            left="The statement did nothing.",
            cure="Give the instance more storage, then run the same command again.",
        )
    if is_transient(error):
        return Unavailable(f"{where}: {text}.", cure="Run the same command again to resume.")
    return Failed(f"{where}: {text} (SQLSTATE {error.sqlstate or 'none'}).")


def without_data(error: psycopg.Error) -> str:
    """Say what a message that quotes data, maybe a patient's, is about; empty for any other."""
    if not (error.sqlstate or "").startswith(DATA_EXCEPTION):
        return ""
    return f"{type(error).__name__}, with data that only the server's log shows"


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
