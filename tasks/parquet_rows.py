"""Rows of a table on their way from PostgreSQL into Parquet: each value as its column is kept."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import sql

from haven.errors import Failed
from haven.export.columns import Field, Form, Hashed
from haven.export.moments import DATE, TIMESTAMP, Ends
from haven.export.tables import Piece, Selected
from haven.identifiers import identifier
from haven.sql import QUERIES
from haven.verification.fingerprint import NOTHING, Sum
from tasks.fingerprints import row_hash
from tasks.multipart import Upload

INTEGERS = {"int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64()}
FLOATS = {"float4": pa.float32(), "float8": pa.float64()}
MOMENTS = {
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
FORMS = {
    Form.BOOLEAN: pa.bool_(),
    Form.STRING: pa.string(),
    Form.TEXT: pa.string(),
    Form.HASH: pa.string(),
    Form.BYTES: pa.binary(),
    Form.UUID: pa.uuid(),
    Form.YEAR: pa.int32(),
}
# What is packed, and how; a dictionary of values that hardly ever come again would cost room and time.
PACKED = {
    Form.INTEGER: "DELTA_BINARY_PACKED",
    Form.DATE: "DELTA_BINARY_PACKED",
    Form.TIMESTAMP: "DELTA_BINARY_PACKED",
    Form.YEAR: "DELTA_BINARY_PACKED",
    Form.STRING: "DELTA_BYTE_ARRAY",
    Form.TEXT: "DELTA_BYTE_ARRAY",
    Form.BYTES: "DELTA_LENGTH_BYTE_ARRAY",
}
LOOKED_AT = 20_000
SELDOM = 0.3
# zstd's first level: the next ones take longer and save nothing of what is packed.
LEVEL = 1
HALF = 32
LOW = 2**HALF - 1


def arrow_type(field: Field) -> pa.DataType:
    """Return the Arrow type that a field is kept as."""
    found = FORMS.get(field.form)
    return found or (INTEGERS | FLOATS | MOMENTS)[field.column.kind]


def schema(fields: Sequence[Field]) -> pa.Schema:
    """Return the Arrow schema of a table's objects."""
    return pa.schema([pa.field(one.name, arrow_type(one)) for one in fields])


def writer(sink: Upload, of: Selected, first: pa.RecordBatch | None) -> pq.ParquetWriter:
    """Open a writer whose encodings suit the first batch, as it is kept; none of an empty table."""
    dictionaries, packed = [], {}
    columns = first.slice(0, LOOKED_AT).columns if first is not None else []
    for field, values in zip(of.fields, columns, strict=False):
        if pc.count_distinct(_plain(values)).as_py() < len(values) * SELDOM:
            dictionaries.append(field.name)
        elif field.form in PACKED:
            packed[field.name] = PACKED[field.form]
    return pq.ParquetWriter(
        sink,
        schema(of.fields),
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=dictionaries,
        column_encoding=packed,
    )


def _plain(values: pa.Array) -> pa.Array:
    return values.storage if isinstance(values, pa.ExtensionArray) else values


def query(piece: Piece) -> sql.Composed:
    """Write the query for a piece; the last column is the hash of each row, where there is one."""
    columns = [_value(one) for one in piece.of.fields]
    if is_hashed(piece.of):
        columns.append(row_hash(piece.of.relation.columns))
    table = piece.of.table
    return sql.SQL(QUERIES["export_rows"]).format(
        columns=sql.SQL(", ").join(columns),
        relation=identifier(table.schema, table.name),
        within=_within(piece),
    )


def is_hashed(of: Selected) -> bool:
    """Tell whether any column goes into the fingerprint."""
    return any(one.hashed is not Hashed.NOT for one in of.fields)


def _value(field: Field) -> sql.Composed:
    name = identifier(field.name)
    if field.form is Form.YEAR:
        return sql.SQL(QUERIES["export_year"]).format(name=name)
    as_text = field.form in (Form.TEXT, Form.HASH)
    return sql.SQL("t.{}::text" if as_text else "t.{}").format(name)


def _within(piece: Piece) -> sql.Composable:
    first = sql.Literal(f"({piece.first},0)")
    if piece.until is not None:
        until = sql.Literal(f"({piece.until},0)")
        return sql.SQL(QUERIES["export_within"]).format(first=first, until=until)
    if piece.first:
        return sql.SQL(QUERIES["export_from"]).format(first=first)
    return sql.SQL("TRUE")


@dataclass(slots=True)
class Keeper:
    """Turns batches as they come into batches as they are kept, and adds up their fingerprint."""

    of: Selected
    hash_key: bytes = b""
    total: Sum = NOTHING

    def kept(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches with each value as it is kept."""
        wanted = schema(self.of.fields)
        for batch in batches:
            columns = [
                self._column(field, column)
                for field, column in zip(self.of.fields, batch.columns, strict=False)
            ]
            hashes = batch.column(batch.num_columns - 1) if is_hashed(self.of) else None
            self.total += Sum(batch.num_rows, _sum(hashes) if hashes is not None else 0)
            yield pa.RecordBatch.from_arrays(columns, schema=wanted)

    def _column(self, field: Field, column: pa.Array) -> pa.Array:
        match field.form:
            case Form.DATE | Form.TIMESTAMP:
                return self._moments(field, column)
            case Form.HASH:
                return _keyed(column, self.hash_key)
            case Form.UUID:
                return column
            case _:
                return _plain(column)

    def _moments(self, field: Field, column: pa.Array) -> pa.Array:
        """Return dates or moments with infinity as it is kept.

        Raises ``Failed`` for a moment that Parquet has no room for.
        """
        ends, number = (DATE, pa.int32()) if field.form is Form.DATE else (TIMESTAMP, pa.int64())
        numbers = column.view(number)
        least, most = (pc.min_max(numbers)[side].as_py() for side in ("min", "max"))
        if least is None or (least >= ends.earliest and most < ends.kept_future):
            return column
        future, past = (
            pc.equal(numbers, pa.scalar(end, number)) for end in (ends.future, ends.past)
        )
        self._refuse_beyond(field, numbers, ends, pc.or_(future, past))
        numbers = pc.if_else(future, pa.scalar(ends.kept_future, number), numbers)
        numbers = pc.if_else(past, pa.scalar(ends.kept_past, number), numbers)
        return numbers.view(column.type)

    def _refuse_beyond(
        self, field: Field, numbers: pa.Array, ends: Ends, infinite: pa.Array
    ) -> None:
        beyond = pc.or_(
            pc.and_not(pc.less(numbers, ends.earliest), infinite),
            pc.equal(numbers, ends.kept_future),
        )
        if pc.any(beyond).as_py():
            table = self.of.table
            name = f"{table.schema}.{table.name}.{field.name}"
            raise Failed(
                f"{name} holds a moment after the year 294246, which Parquet has no room for.",
                left="The export has no manifest yet; finished tables are kept.",
                cure=f'Add "{name}" to as_text in the export section of the stack file, then run '
                "the same command again.",
            )


def _sum(hashes: pa.Array) -> int:
    """Add signed 64-bit numbers exactly: their halves cannot overflow within a batch."""
    if not len(hashes):
        return 0
    high: int = pc.sum(pc.shift_right(hashes, HALF)).as_py()
    low: int = pc.sum(pc.bit_wise_and(hashes, LOW)).as_py()
    return (high << HALF) + low


def _keyed(column: pa.Array, key: bytes) -> pa.Array:
    """Hash texts with a key: the same value is the same hash wherever it stands."""

    def digest(text: str) -> str:
        return hmac.digest(key, text.encode(), "sha256").hex()

    return pa.array(
        [None if text is None else digest(text) for text in column.to_pylist()], pa.string()
    )
