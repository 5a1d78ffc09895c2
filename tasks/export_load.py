"""Loading tables of an export into a database: its rows, without keys, checks or rules."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from psycopg import sql

from haven.errors import Conflict, Failed
from haven.export.columns import Form
from haven.export.manifest import ExportedColumn, ExportedTable
from haven.export.moments import DAY_US, date_text, timestamp_text
from haven.identifiers import identifier
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from haven.verification.fingerprint import Sum
from tasks import fingerprints
from tasks.export_objects import digest_of, open_parquet
from tasks.kinds import changes
from tasks.multipart import Target

CSV = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
# Days since 1970 of the years between which Arrow writes what PostgreSQL reads.
YEAR_1 = -719162
YEAR_10000 = 2932897


@dataclass(frozen=True, slots=True)
class Loaded:
    """A table that was loaded: its fingerprint there, and which columns lack their type there."""

    identity: str
    wanted: Sum
    found: Sum
    without_type: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Tell whether it holds what was exported."""
        return self.wanted == self.found


@changes
def load_table(target: Target, login: Login, table: ExportedTable) -> Loaded:
    """Make a table and load its rows, in one transaction; return what it holds then.

    Raises ``Conflict`` where there is a table of that name, and ``Failed`` for an object that is
    not what the manifest says: then nothing was loaded.
    """
    for stored in table.objects:
        if digest_of(target, stored) != stored.sha256:
            raise Failed(
                f"{stored.key} is not what its manifest says.",
                left="Nothing was loaded of its table.",
                cure="Look who may write into the bucket; an earlier version may still be there.",
            )
    with session(replace(login, answer_limit=None), autocommit=False) as connection:
        connection.execute(QUERIES["fingerprint_session"])
        types = _make(connection, login, table)
        for stored in table.objects:
            with open_parquet(target, stored) as parquet:
                for number in range(parquet.num_row_groups):
                    _copy(connection, table, parquet.read_row_group(number))
        found = fingerprints.read_sum(connection, table.relation).total
        connection.commit()
    given = zip(table.columns, types, strict=True)
    without_type = tuple(one.name for one, type_name in given if type_name != one.wanted_type)
    return Loaded(table.identity, table.sum, found, without_type)


def _make(connection: Connection, login: Login, table: ExportedTable) -> list[str]:
    """Make the table; return the types that its columns have."""
    place = {"schema": table.schema_name, "name": table.name}
    if connection.execute(QUERIES["load_exists"], place).fetchone() is not None:
        raise Conflict(
            f"{login.where} has a table {table.identity} already.",
            left="Nothing was loaded of it.",
            cure="Load into an empty database, then compare or copy with SQL.",
        )
    schema = identifier(table.schema_name)
    connection.execute(sql.SQL(QUERIES["load_schema"]).format(schema=schema))
    columns = {
        "names": [one.name for one in table.columns],
        "types": [one.wanted_type for one in table.columns],
        "plain": [one.loads_as for one in table.columns],
    }
    row = connection.execute(QUERIES["load_statement"], place | columns).fetchone()
    statement, types = row or ("", [])
    connection.execute(statement.encode())
    return list(types)


def _copy(connection: Connection, table: ExportedTable, rows: pa.Table) -> None:
    texts = [
        _texts(one, rows.column(number).combine_chunks())
        for number, one in enumerate(table.columns)
    ]
    block = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(texts, names=rows.column_names), block, CSV)
    statement = sql.SQL(QUERIES["load_rows"]).format(
        table=identifier(table.schema_name, table.name),
        columns=sql.SQL(", ").join(identifier(one.name) for one in table.columns),
    )
    with connection.cursor().copy(statement) as copy:
        copy.write(block.getbuffer())


def _texts(column: ExportedColumn, values: pa.Array) -> pa.Array:
    """Return values as PostgreSQL reads them."""
    match column.form:
        case Form.UUID:
            found = [value and value.hex() for value in values.storage.to_pylist()]
            return pa.array(found, pa.string())
        case Form.BYTES:
            found = [None if value is None else rf"\x{value.hex()}" for value in values.to_pylist()]
            return pa.array(found, pa.string())
        case Form.DATE:
            return _moments(values, pa.int32(), 1, date_text)
        case Form.TIMESTAMP:
            return _moments(values, pa.int64(), DAY_US, timestamp_text)
        case _:
            return values


def _moments(
    values: pa.Array, number: pa.DataType, day: int, written: Callable[[int], str]
) -> pa.Array:
    """Write dates or moments; those that Arrow can write by itself at once."""
    numbers = values.view(number)
    least, most = (pc.min_max(numbers)[side].as_py() for side in ("min", "max"))
    if least is None or (least >= YEAR_1 * day and most < YEAR_10000 * day):
        return pc.cast(values, pa.string())
    texts = [None if one is None else written(one) for one in numbers.to_pylist()]
    return pa.array(texts, pa.string())
