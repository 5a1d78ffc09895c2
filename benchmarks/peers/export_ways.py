"""Ways to bring one table into S3, each a process of its own: ``export_ways.py WAY TABLE``.

Where from and where to stands in the environment as JSON, the password with it. Prints seconds from
after the imports, CPU seconds, peak memory in MB and bytes written, as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

GIVEN: Mapping[str, Any] = json.loads(os.environ["BENCH_EXPORT"])  # noqa: TID251  # a child's input
PART = 8 * 1024 * 1024
WORKERS = 2
LEVEL = 1
SCHEMA = "haven_health"


def conninfo(*, as_url: bool = False) -> str:
    """Return where the table is; drivers that read no keywords take the URL."""
    if as_url:
        return (
            f"postgresql://{GIVEN['user']}:{quote(GIVEN['password'], safe='')}@{GIVEN['host']}:{GIVEN['port']}"
            f"/{GIVEN['database']}?sslmode=require"
        )
    keys = {"host": "host", "port": "port", "dbname": "database", "user": "user"}
    pairs = [f"{key}={GIVEN[name]}" for key, name in keys.items()]
    return " ".join([*pairs, "sslmode=verify-full", f"sslrootcert={GIVEN['ca']}"])


def haven(table: str) -> Callable[[], int]:
    """Prepare Haven's own way, with its fingerprint; ``plain`` is the same on one connection."""
    from haven.export.policy import everything  # noqa: PLC0415  # a process pays for its own way
    from haven.pg import Login  # noqa: PLC0415
    from tasks.export_store import Store  # noqa: PLC0415
    from tasks.export_tables import Wanted, export_tables, read_tables  # noqa: PLC0415
    from tasks.multipart import Target  # noqa: PLC0415

    login = Login(
        GIVEN["host"],
        GIVEN["port"],
        GIVEN["database"],
        GIVEN["user"],
        GIVEN["password"],
        Path(GIVEN["ca"]),
    )
    target = Target(s3(), GIVEN["bucket"], GIVEN["account"], GIVEN["kms_key"])

    def work() -> int:
        tables, _ = read_tables(login)
        (found,) = [one for one in tables if one.name == table]
        piece = max(1, found.size // (2 * WORKERS))
        wanted = Wanted(login, tuple(everything([found], ())), WORKERS, piece)
        store = Store(target, f"exports/{os.getpid()}/full/")
        (made,) = export_tables(store, wanted).tables
        return made.bytes

    return work


def adbc(table: str) -> Callable[[], int]:
    """Prepare the driver that Haven uses, used as its documentation does."""
    import pyarrow.parquet as pq  # noqa: PLC0415
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415

    def work() -> int:
        with (
            dbapi.connect(f"{conninfo()} password={GIVEN['password']}") as connection,
            connection.cursor() as cursor,
            tempfile.NamedTemporaryFile(dir=GIVEN["folder"]) as file,
        ):
            cursor.execute(f'SELECT * FROM {SCHEMA}."{table}"')  # noqa: S608  # our own table
            reader = cursor.fetch_record_batch()
            with pq.ParquetWriter(
                file, _plain(reader.schema), compression="zstd", compression_level=LEVEL
            ) as writer:
                for batch in reader:
                    writer.write_batch(_plain_batch(batch))
            file.flush()
            return send(Path(file.name))

    return work


def _plain(schema: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    return pa.schema(
        [pa.field(one.name, getattr(one.type, "storage_type", one.type)) for one in schema]
    )


def _plain_batch(batch: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    columns = [getattr(column, "storage", column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=_plain(batch.schema))


def duckdb(table: str) -> Callable[[], int]:
    """Prepare DuckDB's reader of PostgreSQL, which reads in parallel by pages as Haven does."""
    import duckdb as engine  # noqa: PLC0415

    def work() -> int:
        with tempfile.TemporaryDirectory(dir=GIVEN["folder"]) as folder:
            connection = engine.connect(config={"threads": WORKERS})
            for name in Path(GIVEN["peers"]).rglob("postgres_scanner.duckdb_extension"):
                connection.execute(f"LOAD '{name}'")
            connection.execute(
                f"ATTACH '{conninfo()} password={GIVEN['password']}' AS p (TYPE postgres, READ_ONLY)"
            )
            path = Path(folder) / "table.parquet"
            connection.execute(
                f"COPY (SELECT * FROM p.{SCHEMA}.\"{table}\") TO '{path}' "  # noqa: S608  # our own
                f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL})"
            )
            return send(path)

    return work


def connectorx(table: str) -> Callable[[], int]:
    """Prepare ConnectorX, which holds the whole table as Arrow before it is written."""
    import connectorx as engine  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    def work() -> int:
        found = engine.read_sql(
            conninfo(as_url=True),
            f'SELECT * FROM {SCHEMA}."{table}"',  # noqa: S608  # our own table
            return_type="arrow",
            partition_on=GIVEN["partition"],
            partition_num=WORKERS,
        )
        with tempfile.NamedTemporaryFile(dir=GIVEN["folder"]) as file:
            pq.write_table(found, file, compression="zstd", compression_level=LEVEL)
            file.flush()
            return send(Path(file.name))

    return work


def pg_dump(table: str) -> Callable[[], int]:
    """Prepare pg_dump with two jobs, which knows one table as one job."""

    def work() -> int:
        folder = Path(tempfile.mkdtemp(dir=GIVEN["folder"])) / "dump"
        command = ["pg_dump", "-Fd", "-j2", "-Z", "zstd:1", "-f", str(folder), "-t"]
        command += [f'{SCHEMA}."{table}"', conninfo()]
        environment = {"PATH": os.defpath, "PGPASSWORD": GIVEN["password"]}
        if subprocess.run(command, env=environment, check=False, capture_output=True).returncode:  # noqa: S603
            command[4] = "1"  # before version 16 it knows gzip alone
            subprocess.run(command, env=environment, check=True)  # noqa: S603
        sent = sum(send(path) for path in folder.iterdir())
        shutil.rmtree(folder.parent)
        return sent

    return work


def copy(table: str) -> Callable[[], int]:
    """Prepare the floor: the server's binary COPY, thrown away."""

    def work() -> int:
        command = ["psql", "-XqAt", conninfo(), "-c"]
        command.append(f'COPY {SCHEMA}."{table}" TO STDOUT (FORMAT binary)')
        environment = {"PATH": os.defpath, "PGPASSWORD": GIVEN["password"]}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        return 0

    return work


WAYS = {one.__name__: one for one in (copy, haven, adbc, duckdb, connectorx, pg_dump)}


def s3() -> Any:
    """Return a client of the sink."""
    import boto3  # noqa: PLC0415

    keys = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local")  # noqa: S106
    return keys.client("s3", region_name="us-east-1", endpoint_url=GIVEN["endpoint"])


def send(path: Path) -> int:
    """Upload a file in parts as Haven does; return its bytes."""
    from boto3.s3.transfer import TransferConfig  # noqa: PLC0415

    s3().upload_file(
        str(path),
        GIVEN["bucket"],
        f"peers/{os.getpid()}/{path.name}",
        ExtraArgs={
            "ChecksumAlgorithm": "SHA256",
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": GIVEN["kms_key"],
        },
        Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART),
    )
    return path.stat().st_size


def main() -> int:
    """Run one way and print what it took."""
    work = WAYS[sys.argv[1]](sys.argv[2])
    begin, before = time.monotonic(), _cpu()
    sent = work()
    taken = {"seconds": time.monotonic() - begin, "cpu": _cpu() - before, "bytes": sent}
    peak = sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(json.dumps(taken | {"memory_mb": peak / 1024}))
    return 0


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    sys.exit(main())
