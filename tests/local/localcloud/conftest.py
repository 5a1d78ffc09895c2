"""One local cloud for all tests of this folder, and the means to talk to it."""

from __future__ import annotations

import functools
import json
import secrets
import shutil
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import botocore.config
import botocore.session
import psycopg
import pytest

from localcloud import process

T = TypeVar("T")
LIMIT = 60.0
PASSWORD = "Correct-Horse-1"  # noqa: S105  # of servers that live as long as the test
MASTER = "haven_admin"


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@functools.cache
def _client(endpoint: str, service: str, region: str) -> Any:
    return _session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  # not checked by anybody
        config=botocore.config.Config(
            retries={"mode": "standard", "max_attempts": 1},
            s3={"addressing_style": "path"},
        ),
    )


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running local cloud, seen from outside."""

    running: process.Running

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return _client(self.running.endpoint_url, service, region)

    def control(self, method: str, name: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  # our own server
            f"{self.running.endpoint_url}/localcloud/{name}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
            return json.load(answer)

    def connect(self, host: str, **changes: Any) -> psycopg.Connection[Any]:
        login = {
            "host": host,
            "user": MASTER,
            "password": PASSWORD,
            "dbname": "haven",
            "sslmode": "verify-full",
            "sslrootcert": str(self.running.ca_bundle),
            "connect_timeout": 10,
            "autocommit": True,
        }
        return psycopg.connect(**{**login, **changes})

    def create(self, name: str, **changes: Any) -> dict[str, Any]:
        self.client("rds").create_db_instance(**instance(name, **changes))
        return self.await_status(name)

    def describe(self, name: str, region: str = "us-east-1") -> dict[str, Any]:
        rds = self.client("rds", region)
        found: dict[str, Any] = rds.describe_db_instances(DBInstanceIdentifier=name)
        only: dict[str, Any] = found["DBInstances"][0]
        return only

    def await_status(
        self, name: str, status: str = "available", region: str = "us-east-1"
    ) -> dict[str, Any]:
        """Poll until a status is there; the statuses on the way are in ``seen``."""
        rds = self.client("rds", region)
        end = time.monotonic() + LIMIT
        pause = threading.Event()
        seen: list[str] = []
        while time.monotonic() < end:
            try:
                found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
            except rds.exceptions.DBInstanceNotFoundFault:
                if status == "gone":
                    return {"seen": seen}
                raise
            if not seen or seen[-1] != found["DBInstanceStatus"]:
                seen.append(found["DBInstanceStatus"])
            if seen[-1] == status:
                return {**found, "seen": seen}
            pause.wait(0.02)
        raise AssertionError(f"{name} never became {status}: {seen}")

    def await_row(self, host: str, query: str, wanted: Any) -> None:
        """Poll a query until it answers with the row that is wanted."""
        pause = threading.Event()
        end = time.monotonic() + LIMIT
        found: Any = None
        while time.monotonic() < end:
            try:
                with self.connect(host) as session:
                    found = session.execute(query).fetchone()
            except (psycopg.errors.UndefinedTable, psycopg.OperationalError) as error:
                found = str(error)
            if found == wanted:
                return
            pause.wait(0.05)
        raise AssertionError(f"{query}: {found}, not {wanted}")


def queue(cloud: Cloud, name: str) -> tuple[str, str]:
    """Return a topic, and the URL of a queue that gets what is published to it."""
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=answer["Attributes"]["QueueArn"])
    return topic, url


def received(cloud: Cloud, url: str) -> list[dict[str, Any]]:
    """Take what SNS put into a queue: subject and message of each."""
    answer = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def awaited(ask: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Ask until the answer is good, and return it."""
    pause = threading.Event()
    end = time.monotonic() + LIMIT
    while not good(found := ask()):
        assert time.monotonic() < end, f"last seen: {found}"
        pause.wait(0.02)
    return found


def instance(name: str, **changes: Any) -> dict[str, Any]:
    """The parameters of a small instance."""
    plain = {
        "DBInstanceIdentifier": name,
        "Engine": "postgres",
        "DBInstanceClass": "db.t3.micro",
        "AllocatedStorage": 20,
        "StorageType": "gp3",
        "MasterUsername": MASTER,
        "MasterUserPassword": PASSWORD,
        "DBName": "haven",
    }
    return {key: value for key, value in {**plain, **changes}.items() if value is not None}


def new_place() -> Path:
    """Make a data directory, in memory where there is some."""
    memory = Path("/dev/shm")  # noqa: S108  # a private directory is made in it
    return Path(tempfile.mkdtemp(prefix="lc-", dir=memory if memory.is_dir() else None))


@pytest.fixture
def place() -> Iterator[Path]:
    """A data directory for a local cloud of one's own."""
    data = new_place()
    yield data
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    data = new_place()
    try:
        with process.start(data) as running:
            yield Cloud(running)
    finally:
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def primary(cloud: Cloud) -> dict[str, Any]:
    """An instance that tests may read and log in to, but not change."""
    return cloud.create("shared", BackupRetentionPeriod=7)


@pytest.fixture
def name() -> str:
    """A name nobody else uses."""
    return f"t-{secrets.token_hex(4)}"
