"""A local cloud on which runs are killed and hindered, and what is to be seen of it afterwards."""

import contextlib
import json
import multiprocessing
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from haven import evidence
from haven.waiting import Wait, wait_for
from localcloud import process
from tests.fault.catalogue import catalogue, connected, secret
from tests.fault.child import Job, main
from tests.fault.inventory import REGIONS, Account
from tests.fault.operations import OPERATIONS
from tests.fault.points import KILLED, Point, read_points

STACK = """
project = "haven-faults"
environment = "sweep"
account = "123456789012"
disposable = true

[database]
instance_class = "db.t4g.medium"
max_connections = 100
deletion_protection = false

[storage]
allocated_gib = 20
max_allocated_gib = 100
iops = 0

[replicas]
instance_class = "db.t4g.medium"
zones = ["us-east-1b"]

[alarms]
email = "alerts@example.org"
connections = 80
free_storage_gib = 5

[secrets]
cache_seconds = 0
grace_seconds = 0

[housekeeping]
sync_batch = 100

[housekeeping.snapshots]
newest = 1
daily = 1
weekly = 1
monthly = 1
yearly = 1
"""
ROOT = Path(__file__).parents[2]
PREFIX = "haven-faults-sweep"
# A killed run's lock is free at the next full second by S3's clock.
LEASE = 0.3
PATIENCE = 15.0
LONGEST_RUN = 120.0
Disk = Callable[[Path], contextlib.AbstractContextManager[None]]


def any_disk(_path: Path) -> contextlib.AbstractContextManager[None]:
    """Use the disk that is there."""
    return contextlib.nullcontext()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its exit status, its error if any, the points it reached.

    ``began`` and ``held``, the times in which it held the stack's lock, are by the machine's
    monotonic clock.
    """

    status: int
    kind: str
    text: str
    points: list[Point]
    said: str
    seconds: float
    began: float = 0.0
    held: list[tuple[float, float]] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        """Tell whether the tripwire ended it."""
        return self.status == KILLED


@dataclass(slots=True)
class Ground:
    """One local cloud with one stack, put back to a known state before every run."""

    cloud: process.Running
    folder: Path
    settings: dict[str, Any]
    account: Account
    _context: Any = field(default_factory=lambda: multiprocessing.get_context("forkserver"))
    _runs: int = 0
    _stands: tuple[str, ...] | None = None

    @property
    def data(self) -> Path:
        """Where the local cloud keeps its servers."""
        return self.folder.parent / "cloud"

    def bring(self, operation: str) -> None:
        """Put the ground into the state that an operation starts from."""
        row = OPERATIONS[operation]
        if row.spoils_database_only and self._stands == row.start[:1]:
            self._drop_database()
            self._run_all(row.start)
        else:
            self.prepare(row.start)
        self._stands = row.start[:1] if row.spoils_database_only else None

    def prepare(self, earlier: Sequence[str]) -> None:
        """Start from nothing, and run what has to have been run."""
        self.control("POST", "reset")
        self._run_all(earlier)

    def _run_all(self, operations: Sequence[str]) -> None:
        self._stands = None
        for name in operations:
            ended = self.run(Job(name))
            if ended.status:
                raise RuntimeError(f"{name} did not prepare the ground: {ended.text} {ended.said}")

    def start(self, job: Job) -> "Child":
        """Start a run in a process of its own."""
        self._runs += 1
        folder = self.folder / f"run-{self._runs:05}"
        folder.mkdir()
        placed = replace(job, folder=folder, settings=self.settings | job.settings)
        child = self._context.Process(target=main, args=(placed,), daemon=True)
        child.start()
        return Child(child, folder)

    def run(self, job: Job) -> Ended:
        """Run to the end."""
        return self.start(job).wait()

    def inventory(self) -> dict[str, Any]:
        """Return everything that is in the account and in the database."""
        return self.account.inventory() | catalogue(self.account, self.cloud.ca_bundle)

    def settle(self) -> None:
        """Wait until every instance is available again, and the primary lets the master in."""
        for region in REGIONS:
            waiter = self.account.client("rds", region).get_waiter("db_instance_available")
            waiter.wait(WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        wait_for(
            Wait(
                what="the primary to let the master in",
                probe=self._lets_in,
                reached=bool,
                fatal=lambda _: None,
                interval=0.1,
                deadline=LONGEST_RUN,
            )
        )

    def _lets_in(self) -> bool:
        try:
            connected(self.account, self.cloud.ca_bundle, "master").close()
        except psycopg.OperationalError:
            return False
        return True

    def lock(self) -> dict[str, Any]:
        """Return the stack's lock as it is written; empty where there is none."""
        s3 = self.account.client("s3")
        try:
            answer = s3.get_object(Bucket=f"{PREFIX}-state-123456789012", Key="locks/stack.json")
        except s3.exceptions.ClientError:
            return {}
        held: dict[str, Any] = json.loads(answer["Body"].read())
        return held

    def evidence(self) -> list[bytes]:
        """Return all records of evidence, in their order."""
        s3 = self.account.client("s3")
        bucket = f"{PREFIX}-evidence-123456789012"
        try:
            listed = s3.list_objects_v2(Bucket=bucket, Prefix=evidence.PREFIX)
        except s3.exceptions.ClientError:
            return []
        keys = sorted(item["Key"] for item in listed.get("Contents", ()))
        return [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]

    def control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the control endpoint of the local cloud."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.cloud.endpoint_url}/localcloud/{path}"
        request = urllib.request.Request(url, data=data, method=method)  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # loopback
            told: dict[str, Any] = json.load(answer)
        return told

    def _drop_database(self) -> None:
        content = secret(self.account, "master")
        if content is None:
            return
        name = sql.Identifier(content["dbname"])
        with connected(self.account, self.cloud.ca_bundle, "master", "postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))


@dataclass(frozen=True, slots=True)
class Child:
    """A run at work."""

    process: Any
    folder: Path

    def wait(self) -> Ended:
        """Wait for its end; one that lasts too long is ended and counts as a bug."""
        self.process.join(LONGEST_RUN)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        status = int(self.process.exitcode)
        said = _read(self.folder / "said")
        outcome = json.loads(_read(self.folder / "outcome.json") or "{}")
        points = self.folder / "points.json"
        return Ended(
            status,
            outcome.get("kind", "killed" if status == KILLED else f"ended with {status}"),
            outcome.get("text", ""),
            read_points(points) if points.exists() else [],
            said,
            outcome.get("seconds", 0.0),
            outcome.get("began", 0.0),
            [(begin, end) for begin, end in outcome.get("held", ())],
        )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


@contextlib.contextmanager
def new_ground(disk: Disk = any_disk) -> Iterator[Ground]:
    """Start a local cloud for sweeps, on a disk of its own if need be, and stop it at the end."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(["tests.fault.child"])
    memory = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="haven-faults-", dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "runs").mkdir()
        stack = folder / "sweep.toml"
        stack.write_text(STACK, encoding="utf-8")
        schema = shutil.copytree(ROOT / "schema", folder / "schema")
        shutil.copytree(ROOT / "tests" / "fault" / "schema", schema, dirs_exist_ok=True)
        with disk(folder / "cloud"), process.start(folder / "cloud") as cloud:
            settings = {
                "schema_dir": schema,
                "stack": str(stack),
                "endpoint_url": cloud.endpoint_url,
                "ca_bundle": cloud.ca_bundle,
                "local_data": folder,
                "wait_limit": 60,
                "lock_lease": LEASE,
                "request_timeout": 2,
            }
            yield Ground(cloud, folder / "runs", settings, Account(cloud.endpoint_url))
