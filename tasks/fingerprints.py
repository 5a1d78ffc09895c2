"""Fingerprints of a live database: what its relations hold, read in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from psycopg import sql

from haven.errors import Failed
from haven.identifiers import identifier
from haven.pg import Connection
from haven.sql import QUERIES
from haven.verification.fingerprint import (
    BUCKETS,
    FORM,
    NOTHING,
    STRONG_FORM,
    Column,
    Fingerprint,
    Relation,
    Span,
    Standing,
    Sum,
)
from haven.verification.horizon import Horizon, age
from haven.verification.rows import NEVER, Seen, Written, bucket_of, packed

MASK = sql.Literal(BUCKETS - 1)
# Null hashes to 0, and so would numeric NaN with the seed 0, and numeric 0 with the seed 1.
SEED = sql.Literal(7046029254386353131)
ALL = Span()
BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of a database: its name for other sessions, and where and when it was taken."""

    exported: str
    text: str
    on_replica: bool
    lsn: str
    moment: datetime


def begin(connection: Connection) -> Snapshot:
    """Begin a transaction that only reads, in a snapshot that others can join."""
    _begin(connection)
    connection.execute(QUERIES["fingerprint_session"])
    row = connection.execute(QUERIES["fingerprint_moment"]).fetchone()
    if row is None:
        raise Failed("The server did not tell its snapshot.")
    return Snapshot(*row)


def join(connection: Connection, exported: str) -> None:
    """Begin a transaction in the snapshot of another one, which has to be open still."""
    _begin(connection)
    name = sql.Literal(exported)
    connection.execute(sql.SQL(QUERIES["fingerprint_join"]).format(snapshot=name))
    connection.execute(QUERIES["fingerprint_session"])


def _begin(connection: Connection) -> None:
    connection.execute(QUERIES["fingerprint_begin"])


def read_relations(connection: Connection, form: int = FORM) -> list[Relation]:
    """Return every table and partition that has rows of its own, in the order of their names.

    ``form`` is how their rows are to be hashed.
    """
    return [
        Relation(
            schema=schema,
            name=name,
            columns=tuple(Column(*one) for one in zip(columns, hashable, strict=True)),
            key=tuple(key),
            size=size,
            estimate=estimate,
            readable=readable,
            logged=logged,
            root=root,
            form=form,
        )
        for (
            schema,
            name,
            columns,
            hashable,
            key,
            size,
            estimate,
            readable,
            logged,
            root,
        ) in connection.execute(QUERIES["fingerprint_relations"])
    ]


def read_sum(connection: Connection, relation: Relation, span: Span = ALL) -> Fingerprint:
    """Return count and sum of a relation, or of some of its buckets.

    Raises ``Failed`` when the session sees no row of a relation whose statistics tell of some: then
    policies hide them, and nothing would be held equal to nothing.
    """
    row = connection.execute(_query("fingerprint_sum", relation, span)).fetchone()
    total = Sum(row[0], int(row[1])) if row else NOTHING
    if span.whole and not total.count and relation.estimate > 0:
        raise Failed(
            f"{connection.info.user} sees no row of {relation.identity}, of which statistics tell "
            f"about {relation.estimate:,}.",
            left="Nothing was proven of it.",
            cure="Give it a policy that lets this role see every row; or ANALYZE the table, if it "
            "was emptied.",
        )
    return Fingerprint(relation.identity, relation.family, span, total)


def read_standing(
    connection: Connection, relation: Relation, span: Span, horizon: Horizon
) -> Standing:
    """Return count and sum of a relation, by when its rows were written."""
    written = _written(connection, horizon)
    rows = connection.execute(_query("fingerprint_standing", relation, span, written=written))
    return _standing({when: Sum(count, int(total)) for when, count, total in rows})


def read_buckets(
    connection: Connection, relation: Relation, span: Span, horizon: Horizon
) -> dict[int, Standing]:
    """Return the same of each bucket."""
    written = _written(connection, horizon)
    found: dict[int, dict[str, Sum]] = {}
    for bucket, when, count, total in connection.execute(
        _query("fingerprint_buckets", relation, span, written=written)
    ):
        found.setdefault(bucket, {})[when] = Sum(count, int(total))
    return {bucket: _standing(parts) for bucket, parts in found.items()}


def _standing(parts: Mapping[str, Sum]) -> Standing:
    return Standing(*(parts.get(written, NOTHING) for written in Written))


def read_rows(
    connection: Connection, relation: Relation, buckets: Sequence[int], horizon: Horizon
) -> Iterator[Seen]:
    """Yield the rows of some buckets one by one."""
    query = sql.SQL(QUERIES["fingerprint_rows"]).format(
        **_pieces(relation),
        written=_written(connection, horizon),
        buckets=sql.Literal(list(buckets)),
    )
    for key, whole, written in connection.execute(query):
        yield Seen(key, whole, Written(written))


def read_keys(
    connection: Connection, relation: Relation, hashes: Sequence[int]
) -> Iterator[tuple[int, list[Any]]]:
    """Yield the hashes of keys and the keys themselves, of those in the buckets of ``hashes``."""
    buckets = sorted({bucket_of(one) for one in hashes})
    query = sql.SQL(QUERIES["fingerprint_keys"]).format(
        **_pieces(relation),
        buckets=sql.Literal(buckets),
        values=sql.SQL(", ").join(
            sql.SQL("t.{}::text").format(identifier(column.name)) for column in relation.key_columns
        ),
    )
    yield from connection.execute(query)


def read_packed(
    connection: Connection, relation: Relation, span: Span, may_go: sql.Composable | None
) -> bytes:
    """Return the rows of some buckets as manifests keep them, in the order that they lie in.

    ``may_go`` is of a table that may lose rows. Rows come in batches: one at a time, as COPY hands
    them over, would take several times as long.
    """
    pieces = _pieces(relation)
    columns = [pieces["key"], pieces["whole"], *([may_go] if may_go else [])]
    query = _query("fingerprint_packed", relation, span, columns=sql.SQL(", ").join(columns))
    with connection.cursor(binary=True) as cursor:
        return packed(chain.from_iterable(cursor.stream(query, size=BATCH)))


def read_newest(connection: Connection, relation: Relation) -> tuple[int, int]:
    """Return a relation's rows, and how many transactions ago the newest version was written."""
    query = sql.SQL(QUERIES["fingerprint_newest"]).format(relation=_name(relation))
    row = connection.execute(query).fetchone()
    count, age = row or (0, None)
    return count, NEVER if age is None else age


def horizon_age(connection: Connection, snapshot: str) -> int:
    """Return how many transactions ago the oldest was that a snapshot saw at work."""
    oldest, _, _ = snapshot.partition(":")
    wrapped = str(int(oldest) % 2**32)
    row = connection.execute(QUERIES["fingerprint_age"], {"xid": wrapped}).fetchone()
    return int(row[0]) if row else 0


def _query(name: str, relation: Relation, span: Span, **more: sql.Composable) -> sql.Composed:
    within: sql.Composable = sql.SQL("TRUE")
    if not span.whole:
        key = _hash(relation.key_columns)
        within = sql.SQL("({} & {}) BETWEEN {} AND {}").format(key, MASK, span.first, span.last)
    return sql.SQL(QUERIES[name]).format(**_pieces(relation), within=within, **more)


def _pieces(relation: Relation) -> dict[str, sql.Composable]:
    return {
        "mask": MASK,
        "key": _hash(relation.key_columns),
        "whole": (strong_hash if relation.form == STRONG_FORM else row_hash)(relation.columns),
        "relation": _name(relation),
    }


def row_hash(columns: Sequence[Column]) -> sql.Composed:
    """Return the hash of a row of the relation ``t``, of which a fingerprint is the sum."""
    return sql.SQL("hashint8extended({}, 1)").format(_hash(columns))


def strong_hash(columns: Sequence[Column]) -> sql.Composed:
    """Return the same by SHA-256, over the texts of all values; 64 of its bits are kept."""
    texts = sql.SQL(", ").join(
        sql.SQL("t.{}::text").format(identifier(one.name)) for one in columns
    )
    return sql.SQL(QUERIES["fingerprint_strong"]).format(texts=texts)


def _hash(columns: Sequence[Column]) -> sql.Composed:
    values = sql.SQL(", ").join(_value(column) for column in columns)
    return sql.SQL("hash_record_extended(ROW({}), {})").format(values, SEED)


def _value(column: Column) -> sql.Composed:
    form = "t.{}" if column.hashable else "t.{}::text"
    return sql.SQL(form).format(identifier(column.name))


def _name(relation: Relation) -> sql.Identifier:
    return identifier(relation.schema, relation.name)


def _written(connection: Connection, horizon: Horizon) -> sql.Composed:
    row = connection.execute(QUERIES["fingerprint_present"]).fetchone()
    keeps_times, latest = (row[0], int(row[1])) if row else (False, 0)
    return sql.SQL(QUERIES["fingerprint_written"]).format(
        latest=sql.Literal(latest),
        oldest=sql.Literal(age(horizon.oldest, latest)),
        newest=sql.Literal(age(horizon.newest, latest)),
        at_work=sql.Literal([str(one) for one in horizon.at_work]),
        until=sql.Literal(horizon.until.isoformat()),
        keeps_times=sql.Literal(keeps_times),
    )
