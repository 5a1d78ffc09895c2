"""Every place that something may be written to or shown in, read to the last byte."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from haven.stack import names
from tests.fault.inventory import REGIONS
from tests.local.secrets.collected import servers
from tests.local.secrets.place import Place

PAGE = 200
# Where a secret belongs: a server's own data, backups of it, and the key that its configuration names.
BELONGS = ("data", "backups", "server.key")
# What everybody with pg_monitor, or the tools of RDS, may read.
VIEWS = ("pg_stat_activity", "pg_stat_statements", "pg_settings", "pg_db_role_setting")


def console(place: Place) -> bytes:
    """Read what runs printed: commands, runs in this process, killed runs."""
    said = [path.read_bytes() for path in sorted(place.ground.folder.glob("*/said"))]
    return b"\n".join([*(text.encode() for text in place.console), *said])


def prefect_logs(place: Place) -> bytes:
    """Read the logs of flow runs and task runs as Prefect's interface shows them."""
    return _pages(place, "logs")


def prefect_database(place: Place) -> bytes:
    """Read all files of Prefect's server and of its client, the write-ahead log included."""
    files = (path for home in place.homes for path in home.rglob("*") if path.is_file())
    return _files(files)


def prefect_runs(place: Place) -> bytes:
    """Read parameters, results and states as Prefect's interface shows them."""
    return _pages(place, "flow_runs") + _pages(place, "task_runs")


def artifacts(place: Place) -> bytes:
    """Read the artifacts as Prefect's interface shows them."""
    return _pages(place, "artifacts")


def evidence(place: Place) -> bytes:
    """Read all records of evidence."""
    return b"\n".join(place.ground.evidence())


def buckets(place: Place) -> bytes:
    """Read every object of every other bucket: locks and hints among them."""
    s3 = place.ground.account.client("s3")
    stack = place.open_run().loaded.stack
    found = []
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"] != names.bucket(stack, "evidence"):
            listed = s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ())
            keys = [item["Key"] for item in listed]
            found += [s3.get_object(Bucket=bucket["Name"], Key=key)["Body"].read() for key in keys]
    return b"\n".join(found)


def descriptions(place: Place) -> bytes:
    """Read what AWS tells about everything there is, contents of secrets left out."""
    account = place.ground.account
    raw = [
        [
            account.client("rds", region).describe_db_instances()["DBInstances"],
            account.client("rds", region).describe_events(Duration=20160)["Events"],
            account.client("secretsmanager", region).list_secrets()["SecretList"],
        ]
        for region in REGIONS
    ]
    calls = place.ground.control("GET", "calls")
    return json.dumps([account.inventory(), raw, calls], default=str).encode()


def server_logs(place: Place) -> bytes:
    """Read the log of every PostgreSQL server."""
    return _files(place.ground.cloud.data.glob("clusters/*/postgresql.log"))


def server_views(place: Place) -> bytes:
    """Read the views of PostgreSQL that show statements and settings."""
    database = place.open_run().loaded.stack.database.name
    found = []
    for name in ("postgres", database):
        for _, connection in servers(place.ground.cloud.data, name):
            with connection:
                found += [_rows(connection, view) for view in VIEWS]
    return b"\n".join(found)


def local_cloud(place: Place) -> bytes:
    """Read the files of the local cloud: its logs, its memory, its mail, all configurations."""
    data = place.ground.cloud.data
    kept = (
        path
        for path in data.rglob("*")
        if path.is_file()
        and path.name != "postgresql.log"
        and not set(BELONGS) & set(path.relative_to(data).parts)
    )
    return _files(kept)


def process_list(place: Place) -> bytes:
    """Read every command line that was to be seen."""
    return place.watch.command_lines()


def environments(place: Place) -> bytes:
    """Read every environment that was to be seen, what a person gave on purpose left out."""
    return place.watch.environments()


def exceptions(place: Place) -> bytes:
    """Read what there is to see of the exceptions that came out, with their chains."""
    return "\n".join(place.exceptions).encode()


def representations(place: Place) -> bytes:
    """Read the texts that Python makes of objects which hold secrets."""
    return "\n".join(place.shown).encode()


SINKS: Mapping[str, Callable[[Place], bytes]] = {
    "console": console,
    "logs in Prefect": prefect_logs,
    "runs in Prefect": prefect_runs,
    "Prefect's database": prefect_database,
    "artifacts": artifacts,
    "evidence": evidence,
    "other buckets": buckets,
    "descriptions of AWS": descriptions,
    "PostgreSQL's logs": server_logs,
    "PostgreSQL's views": server_views,
    "files of the local cloud": local_cloud,
    "process list": process_list,
    "environments": environments,
    "exceptions": exceptions,
    "representations": representations,
}


def read_sinks(place: Place) -> dict[str, bytes]:
    """Read all sinks."""
    return {name: read(place) for name, read in SINKS.items()}


def _files(paths: Iterable[Path]) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(paths))


def _pages(place: Place, kind: str) -> bytes:
    found: list[Any] = []
    while True:
        answer = httpx.post(
            f"{place.prefect}/api/{kind}/filter", json={"limit": PAGE, "offset": len(found)}
        )
        page = answer.raise_for_status().json()
        found += page
        if len(page) < PAGE:
            return json.dumps(found).encode()


def _rows(connection: psycopg.Connection[tuple[Any, ...]], view: str) -> bytes:
    if connection.execute("SELECT to_regclass(%s)", (view,)).fetchone() == (None,):
        return b""
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(view))
    rows = connection.execute(query).fetchall()
    return "\n".join(str(value) for row in rows for value in row).encode()
