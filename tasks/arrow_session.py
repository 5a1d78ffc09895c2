"""A session that hands rows over as Arrow: ADBC, with the same TLS and the same errors as psycopg."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import adbc_driver_manager
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import StatementOptions, dbapi
from psycopg import sql
from psycopg.conninfo import make_conninfo

from haven.pg import FIXED, Login, forget_surroundings
from haven.sql import QUERIES

# Bytes of rows that are turned into one batch: what is held of a table at a time. Twice as many are no
# faster and no smaller in Parquet, and take 40 MB more.
BATCH = 4 * 1024 * 1024


class ArrowSession:
    """A read-only transaction in the snapshot of another one."""

    def __init__(self, connection: dbapi.Connection) -> None:
        """Take an open connection."""
        self._connection = connection

    def join(self, exported: str) -> None:
        """Begin a transaction in an exported snapshot, with the settings that fingerprints want."""
        name = sql.Literal(exported)
        self._run(sql.SQL(QUERIES["fingerprint_begin"]))
        self._run(sql.SQL(QUERIES["fingerprint_join"]).format(snapshot=name))
        self._run(sql.SQL(QUERIES["fingerprint_session"]))

    def batches(self, query: sql.Composed) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query, batch by batch; each is gone when the next one comes."""
        options = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH)}
        with _as_psycopg(), self._connection.cursor(adbc_stmt_kwargs=options) as cursor:
            cursor.execute(query.as_string(None))
            with cursor.fetch_record_batch() as reader:
                yield from reader

    def _run(self, statement: sql.Composable) -> None:
        with _as_psycopg(), self._connection.cursor() as cursor:
            cursor.execute(statement.as_string(None))


@contextlib.contextmanager
def arrow_session(login: Login) -> Iterator[ArrowSession]:
    """Hold a session for a block, over verified TLS. Its password shows nowhere.

    Raises what psycopg raises for the same SQLSTATE.
    """
    forget_surroundings()
    conninfo = make_conninfo(
        **FIXED,
        host=login.host,
        port=login.port,
        dbname=login.database,
        user=login.user,
        password=login.password,
        sslrootcert=str(login.ca_bundle),
        application_name=login.application,
        connect_timeout=login.connect_timeout,
        client_encoding="UTF8",
    )
    with _as_psycopg():
        connection = dbapi.connect(conninfo, autocommit=True)
    with contextlib.closing(connection):
        yield ArrowSession(connection)


@contextlib.contextmanager
def _as_psycopg() -> Iterator[None]:
    """Raise what ADBC raises as psycopg's error of the same SQLSTATE; its text goes along."""
    try:
        yield
    except adbc_driver_manager.Error as error:
        raised = _translated(error)
    else:
        return
    # Out here, since ADBC's own error may keep how it connected, and would come along as context.
    raise raised


def _translated(error: adbc_driver_manager.Error) -> psycopg.Error:
    text = str(error).strip().splitlines()[0]
    state = error.sqlstate or ""
    if state:
        with contextlib.suppress(KeyError):
            return psycopg.errors.lookup(state)(text)
        return psycopg.DatabaseError(text)
    return psycopg.OperationalError(text)
