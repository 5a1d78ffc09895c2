"""A source database, manifests of it, and copies that keep its row versions as restores do."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from flows.frame import open_run
from haven.pg import Login, session
from haven.settings import Settings
from haven.stack import names
from haven.verification.content import Proven, content_check
from haven.verification.fingerprint import FORM
from haven.verification.share import choose
from haven.verification.verdict import Check, Outcome
from tasks.bootstrap import apply_database, observe_database
from tasks.content import prove_content
from tasks.ledger import make_ledger
from tasks.manifests import Source, Taken, look_at_relations, take_manifest
from tasks.restored import (
    check_application,
    check_catalogue,
    check_constraints,
    check_indexes,
    check_ledger,
    check_sequences,
    read_copy,
    read_source_catalogue,
)
from tasks.sample_data import load_sample_data
from tasks.site import Site
from tasks.verifications import read_known_catalogue
from tests.local.conftest import MASTER, Database, apply_schema, password_of, rds_client
from tests.local.provision.conftest import place

__all__ = ["place"]

INSTANCE = "haven-tests-verified"
FAMILY = "postgres15"
# What the schema of the health passport has none of.
FURTHER = """
SET ROLE haven_owner;
CREATE TABLE haven_health.numbered (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
INSERT INTO haven_health.numbered (t) SELECT 'row ' || n FROM generate_series(1, 500) AS n;
CREATE TABLE haven_health.keyless (t text, n numeric);
INSERT INTO haven_health.keyless SELECT 'row ' || n, n / 7.0 FROM generate_series(1, 300) AS n;
GRANT SELECT ON haven_health.numbered, haven_health.keyless TO haven_reader;
INSERT INTO haven_ops.migrations (number, name, checksum, chained_checksum, statements,
    statements_done, duration_ms, who, tool_version, started_at, finished_at, state)
SELECT n, 'file_' || n, md5(n::text), md5('chain' || n), 1, 1, 0, 'a test', '0', now(), now(), 'done'
FROM generate_series(1, 3) AS n;
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """A source, where its manifests lie, and how copies of it are made and looked at."""

    site: Site
    source: Database
    sockets: Path

    def reader(self, database: str = "") -> Login:
        login = self.source.login("haven_reader")
        return replace(login, database=database or login.database)

    def manifest(self, earlier: Any = None, form: int = FORM) -> Taken:
        source = Source(self.reader(), INSTANCE, "db-TESTS", "tests")
        relations, snapshot = look_at_relations(source, form)
        return take_manifest(self.site, source, choose(relations, {}, 0, snapshot.moment), earlier)

    def superuser(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self.sockets),
            user="rdsadmin",
            dbname=database,
            sslmode="disable",
            autocommit=True,
        )

    def prove(self, taken: Taken, copy: str, until: datetime) -> list[Proven]:
        return prove_content(self.site, self.reader(copy), taken.manifest, until)

    def checks(self, taken: Taken, copy: str, until: datetime) -> dict[str, Check]:
        """Look at a copy as a verification does."""
        reader = self.reader(copy)
        logins = {
            role: replace(self.source.login(role), database=copy)
            for role in ("haven_migrator", "haven_app_a", MASTER)
        }
        read = read_copy(reader, self.site.stack.prefix)
        known = read_known_catalogue(self.site, taken.manifest)
        found = [
            content_check(self.prove(taken, copy, until)),
            check_catalogue(known, read.catalogue, read_source_catalogue(self.reader())),
            check_ledger(taken.manifest, read),
            check_constraints(reader),
            check_sequences(logins["haven_migrator"], reader),
            check_application(reader, logins["haven_app_a"]),
            check_indexes(logins[MASTER], 0),
        ]
        return {check.name: check for check in found}

    def failures(self, taken: Taken, copy: str, until: datetime) -> dict[str, str]:
        """Return what is wrong with a copy, by check."""
        return {
            name: "; ".join(check.found)
            for name, check in self.checks(taken, copy, until).items()
            if check.outcome is Outcome.FAILED
        }


@pytest.fixture(scope="session")
def source(cloud) -> Database:
    """A database of its own, whose server keeps the moments of commits."""
    rds = rds_client(cloud)
    group = f"{INSTANCE}-times"
    rds.create_db_parameter_group(
        DBParameterGroupName=group, DBParameterGroupFamily=FAMILY, Description="Commit times"
    )
    wanted = {"ParameterName": "track_commit_timestamp", "ParameterValue": "1"}
    rds.modify_db_parameter_group(
        DBParameterGroupName=group, Parameters=[wanted | {"ApplyMethod": "pending-reboot"}]
    )
    rds.create_db_instance(
        DBInstanceIdentifier=INSTANCE,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername=MASTER,
        MasterUserPassword=password_of(MASTER),
        DBName="haven_health_db",
        DBParameterGroupName=group,
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=INSTANCE, WaiterConfig={"Delay": 1, "MaxAttempts": 90}
    )
    found = rds.describe_db_instances(DBInstanceIdentifier=INSTANCE)["DBInstances"][0]["Endpoint"]
    database = Database(found["Address"], found["Port"], cloud.ca_bundle)
    _fill(database)
    return database


def _fill(database: Database) -> None:
    from haven.stack.database import database_changes  # noqa: PLC0415  # used here alone
    from tasks.ledger import read_ledger  # noqa: PLC0415  # likewise

    with session(database.login(MASTER)) as connection:
        apply_database(connection, database_changes(observe_database(connection)), password_of)
    with session(database.login("haven_migrator")) as connection:
        make_ledger(connection, read_ledger(connection), 5.0)
    apply_schema(database)
    load_sample_data(database.login("haven_migrator"), patients=200, seed=3)
    with session(database.login("haven_migrator")) as connection:
        connection.execute(FURTHER)


@pytest.fixture(scope="session")
def ground(cloud, source, tmp_path_factory) -> Ground:
    """A site whose evidence bucket is there."""
    path = tmp_path_factory.mktemp("stack") / "verified.toml"
    path.write_text(
        'project = "haven-tests"\nenvironment = "verified"\naccount = "123456789012"\n',
        encoding="utf-8",
    )
    settings = Settings(stack=str(path), endpoint_url=cloud.endpoint_url, ca_bundle=cloud.ca_bundle)
    run = open_run(settings)
    run.site.cloud.client("s3", "us-east-1").create_bucket(
        Bucket=names.bucket(run.loaded.stack, "evidence")
    )
    rds = rds_client(cloud)
    item = rds.describe_db_instances(DBInstanceIdentifier=INSTANCE)["DBInstances"][0]
    sockets = cloud.data / "clusters" / item["DbiResourceId"] / "s"
    return Ground(run.site, source, sockets)


@pytest.fixture(scope="module")
def taken(ground: Ground) -> Taken:
    """A manifest of the source as it stands."""
    return ground.manifest()


@pytest.fixture
def copies(ground: Ground) -> Iterator[Callable[[], tuple[str, datetime]]]:
    """Make copies of the source, each with the moment that it shows; they go with the test."""
    made = []
    numbers = itertools.count(1)

    def make() -> tuple[str, datetime]:
        name = f"copy_{next(numbers)}"
        with ground.superuser("postgres") as connection:
            _drop(connection, name)
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE haven_health_db OWNER haven_admin").format(
                    sql.Identifier(name)
                )
            )
            for grant in _grants(ground):
                connection.execute(grant.format(sql.Identifier(name)))
        made.append(name)
        return name, datetime.now(UTC)

    yield make
    with ground.superuser("postgres") as connection:
        for name in made:
            _drop(connection, name)


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def _grants(ground: Ground) -> list[sql.SQL]:
    """A copy by template has not the privileges of its template; a restored one has."""
    with ground.superuser("haven_health_db") as connection:
        rows = connection.execute(
            "SELECT format('%s ON DATABASE {} TO %s', 'GRANT ' || a.privilege_type, "
            "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) "
            "FROM pg_database AS d, aclexplode(d.datacl) AS a WHERE d.datname = current_database()"
        ).fetchall()
    return [
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC"),
        *(sql.SQL(text) for (text,) in rows),
    ]
