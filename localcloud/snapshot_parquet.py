"""A cluster's tables as RDS exports them: Parquet in its layout, with its types, limits and skips.

RDS User Guide, "Exporting DB snapshot data to Amazon S3". Of large tables RDS makes more parts.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, LiteralString

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from localcloud.cluster import Cluster, Connection

# Everything else becomes a string; columns of these types are left out.
_TYPES: dict[str, pa.DataType] = {
    "int2": pa.int32(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bool": pa.bool_(),
    "bytea": pa.binary(),
}
_LEFT_OUT = frozenset({"oid"})
_NOT_IN_TABLES = "/"
_NOT_IN_COLUMNS = frozenset(",;{}()\n\t= ")
_BATCH = 10_000
_GIB = 1024**3
_DATABASES: LiteralString = """
SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate
  AND datname NOT IN ('postgres', 'rdsadmin') ORDER BY datname
"""
_TABLES: LiteralString = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum),
    array_agg(t.typname::text ORDER BY a.attnum), pg_table_size(c.oid)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE c.relkind = 'r' AND c.relpersistence = 'p'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
GROUP BY n.nspname, c.relname, c.oid ORDER BY n.nspname, c.relname
"""
Put = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A table of a database: its columns with the names of their types."""

    database: str
    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    size: int

    @property
    def target(self) -> str:
        """What RDS calls it."""
        return f"{self.database}.{self.schema}.{self.name}"

    @property
    def skipped(self) -> str:
        """Why RDS skips it; empty if it does not."""
        if _NOT_IN_TABLES in self.name or _NOT_IN_TABLES in self.schema:
            return "TABLE_NAME_HAS_UNSUPPORTED_CHARACTERS"
        if any(_NOT_IN_COLUMNS & set(name) for name, _ in self.columns):
            return "COLUMN_NAME_HAS_UNSUPPORTED_CHARACTERS"
        return ""


@dataclass(slots=True)
class Exported:
    """What was written of a cluster, and what was not."""

    size: int = 0
    tables: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


def sources(cluster: Cluster) -> list[Source]:
    """Return every table of every database."""
    return [
        Source(name, schema, table, tuple(zip(columns, types, strict=True)), size)
        for (name,) in cluster.execute(_DATABASES)
        for schema, table, columns, types, size in _in_database(cluster, name, _TABLES)
    ]


def _in_database(cluster: Cluster, name: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with cluster.connect(name) as session:
        return session.execute(query).fetchall()


def is_wanted(source: Source, only: list[str]) -> bool:
    """Tell whether a list of databases, schemas and tables names a table; an empty one names all."""
    names = {source.database, f"{source.database}.{source.schema}", source.target}
    return not only or bool(names & set(only))


def export(
    cluster: Cluster, wanted: list[Source], put: Put, stopped: Callable[[], bool]
) -> Exported:
    """Write tables, each below ``DATABASE/SCHEMA.TABLE/1/``, until it is to stop."""
    done = Exported()
    for source in wanted:
        if stopped():
            break
        if source.skipped:
            done.skipped.append({"tableName": source.target, "reason": source.skipped})
            continue
        place = f"{source.database}/{source.schema}.{source.name}/1/"
        with cluster.connect(source.database) as session:
            body, rows = _parquet(session, source)
        # An empty table has the mark of its end alone.
        if rows:
            put(f"{place}part-00000-{uuid.uuid4()}-c000.gz.parquet", body)
        put(f"{place}_SUCCESS", b"")
        done.size += source.size
        done.tables.append(_told(source, rows))
    return done


def _parquet(session: Connection, source: Source) -> tuple[bytes, int]:
    kept = [(name, kind) for name, kind in source.columns if kind not in _LEFT_OUT]
    schema = pa.schema([(name, _TYPES.get(kind, pa.string())) for name, kind in kept])
    columns = sql.SQL(", ").join(
        sql.SQL("{}" if kind in _TYPES else "{}::text").format(sql.Identifier(name))
        for name, kind in kept
    )
    query = sql.SQL("SELECT {} FROM ONLY {}").format(
        columns, sql.Identifier(source.schema, source.name)
    )
    out, rows = io.BytesIO(), 0
    with pq.ParquetWriter(out, schema, compression="gzip") as writer:
        for batch in _batches(session, query):
            arrays = [pa.array(column, one.type) for column, one in zip(batch, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            rows += len(batch[0]) if batch else 0
    return out.getvalue(), rows


def _batches(session: Connection, query: sql.Composed) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows as columns, some thousands at a time."""
    with session.transaction(), session.cursor("export") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(_BATCH):
            yield list(zip(*rows, strict=True))


def _told(source: Source, rows: int) -> dict[str, Any]:
    """Return what RDS tells of a table that it exported."""
    return {
        "target": source.target,
        "status": "COMPLETE",
        "sizeGB": source.size / _GIB,
        "tableStatistics": {
            "partitioningInfo": {"numberOfPartitions": 1, "numberOfCompletedPartitions": 1},
            "rowCount": rows,
        },
        "schemaMetadata": {
            "originalTypeMappings": [
                {
                    "columnName": name,
                    "originalType": kind,
                    "expectedExportedType": str(_TYPES.get(kind, "binary (UTF8)")),
                    "originalCharMaxLength": 0,
                    "originalNumPrecision": 0,
                    "originalDateTimePrecision": 0,
                }
                for name, kind in source.columns
                if kind not in _LEFT_OUT
            ]
        },
    }


def warning(done: Exported) -> str:
    """Return the warning of a task that is complete but for what was skipped; empty if nothing was."""
    if not done.skipped:
        return ""
    return json.dumps({"skippedTables": done.skipped, "skippedObjectives": [], "general": []})
