"""Exporting tables: what there is, which of it is finished, and the rest, read in one snapshot."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from itertools import chain

from haven.errors import Failed, Refused, Unavailable
from haven.export import keys
from haven.export.columns import Column
from haven.export.manifest import ExportedTable, Stored
from haven.export.resume import columns_of, key_mark, why_not_kept
from haven.export.tables import Piece, Selected, Table, in_order, pieces
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from haven.verification.fingerprint import NOTHING, Sum
from tasks import fingerprints
from tasks.arrow_session import ArrowSession, arrow_session
from tasks.export_store import Store, clear, put_record, read_records, sizes
from tasks.fingerprints import Snapshot
from tasks.kinds import changes, looks
from tasks.manifests import read_ledger
from tasks.multipart import upload
from tasks.parquet_rows import Keeper, query, writer

GIB = 1024**3
# Any bytes at all pass for text there.
NO_ENCODING = "SQL_ASCII"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is exported, by whom it is read, and how.

    ``piece`` is in bytes. ``alive`` raises once the run may not go on.
    """

    login: Login
    selected: tuple[Selected, ...]
    workers: int
    piece: int
    hash_key: bytes = field(default=b"", repr=False)
    alive: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported, in which snapshot, and which tables an earlier run had finished."""

    tables: tuple[ExportedTable, ...]
    snapshot: Snapshot
    ledger: tuple[tuple[int, str, str, str], ...]
    kept: tuple[str, ...]


@looks
def read_tables(login: Login) -> tuple[list[Table], str]:
    """Return every table with its columns, and the version of the server.

    Raises ``Refused`` for a database whose text may be anything.
    """
    with session(_patient(login)) as connection:
        fingerprints.begin(connection)
        version, encoding = connection.execute(QUERIES["export_server"]).fetchone() or ("", "")
        if encoding == NO_ENCODING:
            raise Refused(
                f"{login.where} keeps text in no encoding: what is in it may be no text at all.",
                left="Nothing was exported.",
                cure="Move it to a database in UTF8 first.",
            )
        return _tables(connection), str(version)


def _tables(connection: Connection) -> list[Table]:
    columns: dict[tuple[str, str], list[Column]] = {}
    hashable = {
        (one.schema, one.name, column.name): column.hashable
        for one in fingerprints.read_relations(connection)
        for column in one.columns
    }
    for schema_name, table, name, *rest in connection.execute(QUERIES["export_columns"]):
        type_name, kind, own, required, generated = rest
        known = hashable.get((schema_name, table, name), False)
        found = Column(name, type_name, kind, own, known, required, generated)
        columns.setdefault((schema_name, table), []).append(found)
    return [
        Table(row[0], row[1], tuple(columns.get((row[0], row[1]), ())), *row[2:])
        for row in connection.execute(QUERIES["export_tables"])
    ]


@changes
def export_tables(store: Store, wanted: Wanted) -> Exported:
    """Export what is not finished yet, all in one snapshot.

    A finished table of an earlier run is kept where it holds the same rows in this snapshot.
    """
    with session(_patient(wanted.login)) as connection:
        snapshot = fingerprints.begin(connection)
        kept = _still_good(store, connection, wanted)
        clear(store, kept)
        names = {one.identity for one in kept}
        work = _Work(store, wanted, snapshot)
        done = _export_all(work, [one for one in wanted.selected if one.identity not in names])
        again = [one.model_copy(update={"snapshot": snapshot.text}) for one in kept]
        tables = sorted([*done, *again], key=lambda one: one.identity)
        return Exported(
            tuple(tables), snapshot, tuple(read_ledger(connection)), tuple(sorted(names))
        )


def _still_good(store: Store, connection: Connection, wanted: Wanted) -> list[ExportedTable]:
    """Return the finished tables that hold the same rows now."""
    found = {one.identity: one for one in wanted.selected}
    there = sizes(store, keys.data(store.place))
    return [
        one
        for one in read_records(store).values()
        if not why_not_kept(one, found.get(one.identity), there, wanted.hash_key)
        and fingerprints.read_sum(connection, one.relation).total == one.sum
    ]


@dataclass(slots=True)
class _Parts:
    """What is there of a table whose pieces are being read."""

    left: int
    stored: dict[int, Stored] = field(default_factory=dict)
    total: Sum = NOTHING


@dataclass(slots=True)
class _Work:
    store: Store
    wanted: Wanted
    snapshot: Snapshot
    todo: deque[Piece] = field(default_factory=deque)
    parts: dict[str, _Parts] = field(default_factory=dict)
    done: list[ExportedTable] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Raise once this run may not go on, or another worker cannot."""
        self.wanted.alive()
        if self.stop.is_set():
            raise Unavailable(
                "The export was stopped.",
                left="Finished tables are kept.",
                cure="Run the same command again to resume.",
            )


def _export_all(work: _Work, selected: Sequence[Selected]) -> list[ExportedTable]:
    for one in selected:
        found = pieces(one, work.wanted.piece)
        work.parts[one.identity] = _Parts(len(found))
        work.todo += found
    work.todo = deque(in_order(work.todo))
    count = min(work.wanted.workers, len(work.todo))
    if not count:
        return []
    with ThreadPoolExecutor(count, thread_name_prefix="export") as pool:
        jobs = [pool.submit(copy_context().run, _worker, work) for _ in range(count)]
        try:
            wait(jobs)
        finally:
            # Where this thread was told to end, the others do too.
            work.stop.set()
    if work.failure is not None:
        raise work.failure
    return work.done


def _worker(work: _Work) -> None:
    """Export pieces until there are none left; what stops one worker stops all."""
    try:
        with arrow_session(work.wanted.login) as arrow:
            arrow.join(work.snapshot.exported)
            while True:
                try:
                    piece = work.todo.popleft()
                except IndexError:
                    return
                _export(work, arrow, piece)
    except BaseException as error:
        with work.lock:
            work.failure = work.failure or error
        work.stop.set()
        raise


def _export(work: _Work, arrow: ArrowSession, piece: Piece) -> None:
    key = keys.piece(work.store.place, piece.of.identity, piece.number)
    keeper = Keeper(piece.of, work.wanted.hash_key)
    with upload(work.store.target, key) as sink:
        batches = keeper.kept(arrow.batches(query(piece)))
        first = next(batches, None)
        with writer(sink, piece.of, first) as parquet:
            for batch in chain([first] if first is not None else [], batches):
                work.check()
                parquet.write_batch(batch)
        written = sink.complete()
    total = keeper.total
    stored = Stored(
        key=key,
        size=written.size,
        sha256=written.sha256,
        rows=total.count,
        checksum=written.checksum,
    )
    with work.lock:
        parts = work.parts[piece.of.identity]
        parts.stored[piece.number] = stored
        parts.total += total
        parts.left -= 1
        finished = not parts.left
    if finished:
        _finish(work, piece.of, parts)


def _finish(work: _Work, of: Selected, parts: _Parts) -> None:
    table = of.table
    if not parts.total.count and table.estimate > 0:
        raise Failed(
            f"{work.wanted.login.user} sees no row of {of.identity}, of which statistics tell "
            f"about {table.estimate:,}.",
            left="The export has no manifest; finished tables are kept.",
            cure="Give it a policy that lets this role see every row; or ANALYZE the table, if it "
            "was emptied.",
        )
    found = ExportedTable(
        schema_name=table.schema,
        name=table.name,
        identity=of.identity,
        root=table.root,
        columns=columns_of(of),
        rows=parts.total.count,
        fingerprint=parts.total.total,
        objects=tuple(parts.stored[number] for number in sorted(parts.stored)),
        snapshot=work.snapshot.text,
        hash_key=key_mark(of, work.wanted.hash_key),
    )
    put_record(work.store, found)
    with work.lock:
        work.done.append(found)


def _patient(login: Login) -> Login:
    return replace(login, answer_limit=None)
