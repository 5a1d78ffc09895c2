"""One server for all tests of this folder, and a fresh database with its roles for each."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from psycopg import sql

from haven.pg import Login
from localcloud import process
from tasks.ledger import Author
from tasks.migration_undo import undo_migrations
from tasks.migration_work import Terms
from tasks.migrations import MigrationResult, migrate_database

PROJECT = Path(__file__).parents[3]
MASTER = "haven_admin"
PASSWORD = "Correct-Horse-1"  # noqa: S105  # of servers that live as long as the test
LIMIT = 60.0

ROLES = """
CREATE ROLE haven_owner NOLOGIN;
CREATE ROLE haven_migrator LOGIN PASSWORD 'Correct-Horse-1';
GRANT haven_owner TO haven_migrator;
"""

RUNNER = """
import json, sys
from pathlib import Path
from haven.errors import HavenError
from haven.pg import Login
from tasks.ledger import Author
from tasks.migration_work import Terms
from tasks.migrations import migrate_database
given = json.loads(sys.argv[1])
login = Login(**given["login"] | {"ca_bundle": Path(given["login"]["ca_bundle"])})
try:
    terms = Terms(login, Author(given["who"], "0"), 2, 5, lambda _: None)
    result = migrate_database(terms, Path(given["folder"]))
    print(json.dumps(["applied", list(result.applied)]))
except HavenError as error:
    print(json.dumps([error.kind, str(error)]))
"""


@dataclass(frozen=True)
class Place:
    """A fresh database, a folder for files, and the migrator's login."""

    login: Login
    folder: Path
    endpoint_url: str
    said: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(
        self, *, dry_run: bool = False, accept_drift: str = "", attempts: int = 3
    ) -> MigrationResult:
        terms = replace(self.terms, attempts=attempts)
        return migrate_database(terms, self.folder, accept_drift=accept_drift, dry_run=dry_run)

    @property
    def terms(self) -> Terms:
        return Terms(self.login, Author("a test", "0"), 0.1, 3, self.said.append)

    def undo(self, to: int, *, dry_run: bool = False) -> tuple[str, ...]:
        return undo_migrations(self.terms, self.folder, to, dry_run=dry_run).names

    def connect(self, user: str = MASTER) -> psycopg.Connection[Any]:
        return connect(self.login, user=user)

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask as the owner of what the migrations make."""
        with self.connect("haven_migrator") as connection:
            connection.execute("SET ROLE haven_owner")
            return connection.execute(query, values).fetchall()

    def ledger(self) -> list[tuple[Any, ...]]:
        columns = "number, name, state, statements, statements_done"
        return self.ask(f"SELECT {columns} FROM haven_ops.migrations ORDER BY number")  # noqa: S608

    def spawn(self, who: str = "another runner") -> subprocess.Popen[str]:
        login = {
            name: str(getattr(self.login, name))
            if name == "ca_bundle"
            else getattr(self.login, name)
            for name in ("host", "port", "database", "user", "password", "ca_bundle")
        }
        given = json.dumps({"login": login, "folder": str(self.folder), "who": who})
        return subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-c", RUNNER, given], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )

    def until(self, query: str, *values: Any) -> None:
        """Wait until a query as the master returns true."""
        pause = threading.Event()
        end = time.monotonic() + LIMIT
        with self.connect() as connection:
            while time.monotonic() < end:
                row = connection.execute(query, values).fetchone()
                if row and row[0]:
                    return
                pause.wait(0.02)
        raise AssertionError(f"never true: {query}")

    def until_runs(self, text: str) -> None:
        """Wait until some session of the migrator runs a statement with this text."""
        self.until(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' "
            "AND usename = 'haven_migrator' AND datname = %s AND query LIKE %s",
            self.login.database,
            f"%{text}%",
        )


def connect(login: Login, **changes: Any) -> psycopg.Connection[Any]:
    values = {"host": login.host, "port": login.port, "dbname": login.database}
    return psycopg.connect(
        **{**values, "password": PASSWORD, "sslmode": "verify-full", **changes},
        sslrootcert=str(login.ca_bundle),
        autocommit=True,
    )


@dataclass(frozen=True)
class Server:
    running: process.Running
    login: Login

    def reboot(self) -> None:
        rds = client(self.running)
        rds.reboot_db_instance(DBInstanceIdentifier="migrate")
        await_available(rds)


@pytest.fixture(scope="session")
def migration_server() -> Iterator[Server]:
    memory = Path("/dev/shm")  # noqa: S108  # a private directory is made in it
    data = Path(tempfile.mkdtemp(prefix="mg-", dir=memory if memory.is_dir() else None))
    data.chmod(0o711)  # servers run as another user
    try:
        with process.start(data) as running:
            yield Server(running, _instance(running))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def client(running: process.Running) -> Any:
    session = boto3.Session(aws_access_key_id="t", aws_secret_access_key="t")  # noqa: S106
    return session.client("rds", region_name="us-east-1", endpoint_url=running.endpoint_url)


def await_available(rds: Any) -> dict[str, Any]:
    pause = threading.Event()
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        found = rds.describe_db_instances(DBInstanceIdentifier="migrate")["DBInstances"][0]
        if found["DBInstanceStatus"] == "available":
            return dict(found)
        pause.wait(0.05)
    raise AssertionError("the instance never became available")


def _instance(running: process.Running) -> Login:
    rds = client(running)
    rds.create_db_instance(
        DBInstanceIdentifier="migrate",
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        StorageType="gp3",
        MasterUsername=MASTER,
        MasterUserPassword=PASSWORD,
        DBName="haven",
    )
    found = await_available(rds)
    endpoint = found["Endpoint"]
    login = Login(
        host=endpoint["Address"],
        port=endpoint["Port"],
        database="haven",
        user="haven_migrator",
        password=PASSWORD,
        ca_bundle=running.ca_bundle,
    )
    with connect(login, user=MASTER) as master:
        master.execute(ROLES)
    return login


@contextlib.contextmanager
def fresh_database(given: Login) -> Iterator[Login]:
    """Make a database in which the owner may make schemas, and tables in ``public``."""
    database = f"m_{secrets.token_hex(4)}"
    name = sql.Identifier(database)
    with connect(given, user=MASTER) as master:
        master.execute(sql.SQL("CREATE DATABASE {}").format(name))
        master.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO haven_owner").format(name))
    fresh = Login(given.host, given.port, database, given.user, PASSWORD, given.ca_bundle)
    with connect(fresh, user=MASTER) as master:
        master.execute("GRANT CREATE ON SCHEMA public TO haven_owner")
    yield fresh
    with connect(given, user=MASTER) as master:
        master.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def place(migration_server: Server, tmp_path: Path) -> Iterator[Place]:
    with fresh_database(migration_server.login) as login:
        yield Place(login, tmp_path, migration_server.running.endpoint_url)
