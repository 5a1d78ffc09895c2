"""A local cloud, and one database on it that is bootstrapped and has the schema."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from psycopg import sql

from haven.pg import Connection, Login, open_connection, session
from haven.sample_data import first_patient, generate, marked_until
from haven.stack.database import LOGINS, database_changes
from localcloud import process
from tasks.bootstrap import apply_database, observe_database
from tasks.sample_data import load_sample_data

ROOT = Path(__file__).parents[2]
MASTER = "haven_admin"
CLINIC = "clinic_ro"
NAME = "haven_health_db"


@pytest.fixture(scope="session")
def cloud() -> Iterator[process.Running]:
    """Start a local cloud, in memory where the system has a place for it."""
    shared = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
    parent = shared if os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="haven-tests-", dir=parent) as directory:
        Path(directory).chmod(0o711)
        with process.start(Path(directory)) as running:
            yield running


@dataclass(frozen=True, slots=True)
class Database:
    """A database under test. Every role's password is made from its name."""

    host: str
    port: int
    ca_bundle: Path
    name: str = NAME

    def login(self, role: str) -> Login:
        """Return the login of a role; the master included."""
        return Login(self.host, self.port, self.name, role, password_of(role), self.ca_bundle)

    @contextlib.contextmanager
    def acting(self, role: str, **settings: str) -> Iterator[Connection]:
        """Log in as a role, in a transaction that is rolled back, with per-transaction settings.

        Roles without a login are assumed by the migrator.
        """
        login = role if role in (*LOGINS, MASTER, CLINIC) else "haven_migrator"
        connection = open_connection(self.login(login), autocommit=False)
        with contextlib.closing(connection):
            if role != login:
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, true)", (f"haven.{name}", value))
            yield connection


def password_of(role: str) -> str:
    """Return a role's password in tests."""
    return f"only-for-tests-{role}"


def schema_files() -> list[Path]:
    """Return the schema files in their order."""
    return sorted((ROOT / "schema").glob("[0-9]*.sql"))


def make_instance(cloud: process.Running, identifier: str) -> Database:
    """Make an instance and wait until it is available."""
    rds = rds_client(cloud)
    rds.create_db_instance(
        DBInstanceIdentifier=identifier,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername=MASTER,
        MasterUserPassword=password_of(MASTER),
        DBName=NAME,
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=identifier, WaiterConfig={"Delay": 1, "MaxAttempts": 90}
    )
    found = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]["Endpoint"]
    return Database(found["Address"], found["Port"], cloud.ca_bundle)


def rds_client(cloud: process.Running) -> Any:
    """Return an RDS client of the local cloud."""
    keys = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
    return keys.client("rds", endpoint_url=cloud.endpoint_url, region_name="us-east-1")


def apply_schema(database: Database) -> None:
    """Apply every schema file, each in one transaction, as the migrator acting as the owner."""
    with session(database.login("haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
        for path in schema_files():
            with connection.transaction():
                connection.execute(path.read_bytes())


@pytest.fixture(scope="session")
def bootstrapped(cloud: process.Running) -> Database:
    """Make an instance and bootstrap it as the master; it has no schema yet."""
    database = make_instance(cloud, "haven-tests")
    with session(database.login(MASTER)) as connection:
        apply_database(connection, database_changes(observe_database(connection)), password_of)
    return database


@pytest.fixture(scope="session")
def database(bootstrapped: Database) -> Database:
    """Apply the schema to the bootstrapped database."""
    apply_schema(bootstrapped)
    return bootstrapped


@dataclass(frozen=True, slots=True)
class Sample:
    """What was loaded: the rows as they were generated, by table."""

    seed: int
    rows: dict[str, list[Any]]


@pytest.fixture(scope="session")
def sample(database: Database) -> Sample:
    """Load a sample set and return it as it was generated."""
    seed, patients = 7, 300
    load_sample_data(database.login("haven_migrator"), patients=patients, seed=seed)
    with session(database.login("haven_reader")) as connection:
        row = connection.execute(
            "SELECT import_source FROM haven_health.patients WHERE id = %s", (first_patient(seed),)
        ).fetchone()
    assert row is not None
    tables = generate(patients, seed, marked_until(row[0]))
    return Sample(seed, {table.name: list(table.rows) for table in tables})
