"""Load tables of an export into a database of somebody's choice."""

from __future__ import annotations

import time

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, Field

from flows.frame import Run
from haven.errors import Failed, InvalidRequest
from haven.export.keys import MANIFEST
from haven.export.manifest import LOGICAL, ExportedTable
from haven.pg import Login
from tasks.export_load import load_table
from tasks.export_store import Store, read_manifest
from tasks.multipart import Target

APPLICATION = "haven export load"
WHERE = frozenset({"host", "port", "dbname", "user"})
SCHEME = "s3://"


class LoadedTable(BaseModel):
    """A table that was loaded, and whether it holds what was exported."""

    table: str
    rows: int
    without_type: list[str] = Field(description="Columns whose type the database does not have.")


class LoadReport(BaseModel):
    """What was loaded."""

    manifest: str
    into: str = Field(description="Where to, without the password.")
    tables: list[LoadedTable] = Field(default_factory=list)
    seconds: float = 0.0


def load_export(run: Run, manifest: str, into: str, tables: tuple[str, ...] = ()) -> LoadReport:
    """Load all tables of an export, or some, each in one transaction.

    Raises ``Failed`` naming the first that is not equal to what was exported; it stays, to be looked
    at. Raises ``InvalidRequest`` for a table that the export does not have.
    """
    begin = time.monotonic()
    login = _login(run, into)
    store = _store(run, manifest)
    export = read_manifest(store)
    if export is None:
        raise InvalidRequest(
            f"There is no manifest {manifest}.",
            left="Nothing was loaded.",
            cure="Without a manifest there is no export; list the bucket to find one.",
        )
    if export.way != LOGICAL:
        raise InvalidRequest(
            f"{manifest} is of RDS's own export, which cannot be loaded back.",
            left="Nothing was loaded.",
            cure="Query its objects with DuckDB or Athena; text forms have to be cast.",
        )
    report = LoadReport(manifest=manifest, into=login.where)
    for one in _chosen(export.tables, tables):
        run.progress(f"loading {one.identity}, {one.rows:,} rows")
        loaded = load_table(store.target, login, one)
        if not loaded.equal:
            raise Failed(
                f"{one.identity} holds {loaded.found.count:,} rows with another fingerprint than what "
                "was exported.",
                left="It was loaded, to be looked at.",
                cure="Compare the versions of the servers and their collations; report it otherwise.",
            )
        report.tables.append(
            LoadedTable(table=one.identity, rows=one.rows, without_type=list(loaded.without_type))
        )
    report.seconds = round(time.monotonic() - begin, 3)
    return report


def _chosen(known: tuple[ExportedTable, ...], names: tuple[str, ...]) -> list[ExportedTable]:
    """Return the tables of these names; a partitioned table's name stands for its partitions."""
    unknown = [name for name in names if not any(_is(one, name) for one in known)]
    if unknown:
        raise InvalidRequest(
            f"The export has no table {', '.join(unknown)}.",
            left="Nothing was loaded.",
            cure=f"It has: {', '.join(one.identity for one in known)}.",
        )
    return [one for one in known if not names or any(_is(one, name) for name in names)]


def _is(table: ExportedTable, name: str) -> bool:
    return name in (table.identity, table.root, f"{table.schema_name}.{table.name}")


def _store(run: Run, manifest: str) -> Store:
    bucket, _, key = manifest.removeprefix(SCHEME).partition("/")
    if not manifest.startswith(SCHEME) or not key.endswith(f"/{MANIFEST}"):
        raise InvalidRequest(
            f"{manifest!a} is not the place of a manifest.",
            left="Nothing was loaded.",
            cure=f"It is like s3://BUCKET/exports/2026-W05/full/{MANIFEST}.",
        )
    stack = run.loaded.stack
    s3 = run.site.cloud.client("s3", stack.region)
    return Store(Target(s3, bucket, stack.account, ""), key.removesuffix(MANIFEST))


def _login(run: Run, into: str) -> Login:
    try:
        given = conninfo_to_dict(into)
    except psycopg.ProgrammingError:
        given = {}
    password, port = run.settings.load_password, str(given.get("port"))
    if set(given) != WHERE or not port.isdecimal() or password is None:
        raise InvalidRequest(
            "--into needs host, port, user and database and nothing else, and HAVEN_LOAD_PASSWORD the "
            "password: on the command line everybody on this machine could read it.",
            left="Nothing was loaded.",
            cure="For example: HAVEN_LOAD_PASSWORD=... haven export load --manifest s3://... "
            "--into postgresql://someone@127.0.0.1:5432/scratch.",
        )
    return Login(
        host=str(given["host"]),
        port=int(port),
        database=str(given["dbname"]),
        user=str(given["user"]),
        password=password.get_secret_value(),
        ca_bundle=run.site.cloud.ca_bundle,
        application=APPLICATION,
        answer_limit=run.settings.request_timeout,
    )
