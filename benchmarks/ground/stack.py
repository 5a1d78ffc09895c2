"""A provisioned stack on a local cloud of the benchmark's own, and fresh databases on it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ground.places import PROJECT
from psycopg import sql

from flows.endpoints import MASTER, writer_logins
from flows.frame import Run, open_run
from flows.provision import ProvisionParameters, provision
from haven.pg import Login, open_connection
from haven.settings import load_settings
from localcloud import process

MIGRATOR = "haven_migrator"
LONE = """
project = "haven-bench"
environment = "{environment}"
account = "123456789012"
disposable = true

[database]
instance_class = "db.t4g.medium"
max_connections = 100
multi_az = false
deletion_protection = false

[storage]
allocated_gib = 20
max_allocated_gib = 100
iops = 0

[replicas]
instance_class = "db.t4g.medium"
zones = []

[alarms]
connections = 80
free_storage_gib = 5
"""


def lone_stack(folder: Path, environment: str) -> str:
    """Write the file of a stack with as few servers as can be, since all of it is in memory."""
    path = folder / f"{environment}.toml"
    path.write_text(LONE.format(environment=environment), encoding="utf-8")
    return str(path)


@contextmanager
def provisioned(folder: Path, stack: str = "local") -> Iterator[Run]:
    """Start a local cloud in a folder and provision a stack on it."""
    with process.start(folder / "cloud") as running:
        names = {
            "HAVEN_STACK": stack,
            "HAVEN_CLOUD": "local",
            "HAVEN_ENDPOINT_URL": running.endpoint_url,
            "HAVEN_CA_BUNDLE": str(running.ca_bundle),
            "HAVEN_LOCAL_DATA": str(running.data),
            "HAVEN_SCHEMA_DIR": str(PROJECT / "schema"),
        }
        os.environ.update(names)  # noqa: TID251  # for this process and those it starts
        run = open_run(load_settings())
        print("provisioning a stack", flush=True)
        provision(run, ProvisionParameters())
        yield run


@contextmanager
def fresh_database(run: Run) -> Iterator[Login]:
    """Make a database for one turn and yield the migrator's login on it."""
    name = f"bench_{secrets.token_hex(4)}"
    logins = writer_logins(run, None, [MASTER, MIGRATOR], application="benchmark")
    master, migrator = logins[MASTER], logins[MIGRATOR]
    database = sql.Identifier(name)
    with open_connection(master) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO haven_owner").format(database))
    with open_connection(replace(master, database=name)) as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO haven_owner")
    try:
        yield replace(migrator, database=name)
    finally:
        with open_connection(master) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
