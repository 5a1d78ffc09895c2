"""A bucket for exports, and databases to export from and to load into."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import boto3
import pytest
from psycopg import sql

from haven.export.manifest import ExportedTable
from haven.export.policy import everything
from haven.export.tables import Selected, sort_out
from haven.pg import Login, session
from tasks.export_load import Loaded, load_table
from tasks.export_store import Store
from tasks.export_tables import Exported, Wanted, export_tables, read_tables
from tasks.multipart import Target
from tests.local.conftest import MASTER, Database, make_instance
from tests.local.provision.conftest import place

__all__ = ["place"]

ACCOUNT = "123456789012"
BUCKET = "haven-tests-exports"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def target(cloud) -> Target:
    """A bucket and a key of their own."""
    keys = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
    where = {"endpoint_url": cloud.endpoint_url, "region_name": "us-east-1"}
    s3 = keys.client("s3", **where)
    s3.create_bucket(Bucket=BUCKET)
    key = keys.client("kms", **where).create_key()["KeyMetadata"]["Arn"]
    return Target(s3, BUCKET, ACCOUNT, key)


@pytest.fixture
def store(target) -> Store:
    """A folder of the bucket, empty."""
    return Store(target, f"exports/test-{next(NUMBERS)}/full/")


@pytest.fixture(scope="session")
def server(cloud) -> Database:
    """An instance whose databases come and go."""
    return make_instance(cloud, "haven-tests-exported")


@pytest.fixture(scope="session")
def databases(server) -> Callable[[], contextlib.AbstractContextManager[Login]]:
    """Make databases, each for a block."""
    master = server.login(MASTER)

    @contextlib.contextmanager
    def make() -> Iterator[Login]:
        name = f"made_{next(NUMBERS)}"
        with session(master) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
            )
        yield replace(master, database=name)
        with session(master) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )

    return make


def selected(login: Login, as_text: tuple[str, ...] = ()) -> tuple[Selected, ...]:
    """Select everything of a database."""
    tables, _ = read_tables(login)
    return tuple(everything(sort_out(tables).tables, as_text))


def export(store: Store, login: Login, as_text: tuple[str, ...] = (), **more) -> Exported:
    """Export all of a database."""
    given = {"workers": 2, "piece": 2**30, **more}
    return export_tables(store, Wanted(login, selected(login, as_text), **given))


def load(store: Store, login: Login, tables: tuple[ExportedTable, ...]) -> list[Loaded]:
    """Load tables into a database."""
    return [load_table(store.target, login, one) for one in tables]
