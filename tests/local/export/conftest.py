"""A bucket for exports, and databases to export from and to load into."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import boto3
import pytest
from psycopg import sql

from flows.migrate import MigrateParameters, migrate
from flows.sample_data import load as load_sample
from haven.export import manifest
from haven.export.manifest import Export, ExportedTable
from haven.export.policy import everything
from haven.export.tables import Selected, sort_out
from haven.pg import Login, session
from tasks.export_load import Loaded, load_table
from tasks.export_store import Store
from tasks.export_tables import Exported, Wanted, export_tables, read_tables
from tasks.multipart import Target
from tests.local.conftest import MASTER, ROOT, Database, make_instance
from tests.local.provision.conftest import Place, place

__all__ = ["place"]

PRODUCTION = (ROOT / "deployments" / "stacks" / "production.toml").read_text(encoding="utf-8")
POLICY = PRODUCTION[PRODUCTION.index("[export.deidentified]") :]
PATIENTS = 60
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


@pytest.fixture(scope="package")
def stack(place) -> Iterator[Place]:
    """A stack with patients, and the column policy of production."""
    made: Place = place("exported", sections=POLICY)
    made.provision()
    migrate(made.run(), MigrateParameters())
    load_sample(made.run(), patients=PATIENTS, seed=11)
    yield made
    made.remove_instances()


def otherwise(stack: Place, sections: str) -> Place:
    """Return the same stack by a file with other sections about exports."""
    text = stack.path.read_text(encoding="utf-8")
    path = stack.path.with_name(f"exported-{next(NUMBERS)}.toml")
    path.write_text(text[: text.index("[export.deidentified]")] + sections, encoding="utf-8")
    return Place(path, stack.settings.model_copy(update={"stack": str(path)}))


def read_export(stack: Place, report) -> Export:
    """Return the manifest that a report names."""
    bucket, _, key = report.manifest.removeprefix("s3://").partition("/")
    body = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert report.sha256 in ("", manifest.sha256(body))
    return manifest.read(body)


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
