"""A provisioned stack of its own on the session's local cloud."""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest

from flows.frame import Run, open_run
from flows.provision import ProvisionParameters, ProvisionReport, provision
from haven.settings import Settings
from haven.stack import names
from haven.stack.files import load_stack
from haven.stack.model import Stack
from localcloud import process

STACK = """
project = "haven-tests"
environment = "{environment}"
account = "123456789012"
disposable = {disposable}

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
zones = {zones}

[alarms]
email = "alerts@example.org"
connections = 80
free_storage_gib = 5
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A stack file and the settings that reach its local cloud."""

    path: Path
    settings: Settings

    def run(self) -> Run:
        """Open a fresh run, with a journal of its own."""
        return open_run(self.settings)

    @property
    def stack(self) -> Stack:
        """The stack of the file."""
        return self.run().loaded.stack

    def provision(self, **parameters: Any) -> ProvisionReport:
        """Provision once."""
        return provision(self.run(), ProvisionParameters(**parameters))

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Return a client of the test's own, as any other program would have it."""
        return _client(self.settings.endpoint_url or "", service, region)

    def remove_instances(self) -> None:
        """Let servers go that no test needs any more, and copies of backups, of which 20 may be.

        Each server takes 60 MB of memory and more.
        """
        prefix = load_stack(str(self.path), self.path.parent).stack.prefix
        for region in ("us-east-1", "us-west-2"):
            rds = self.client("rds", region)
            _stop_copies(rds, prefix, region)
            found = rds.describe_db_instances()["DBInstances"]
            ours = [item for item in found if item["DBInstanceIdentifier"].startswith(prefix)]
            for item in sorted(ours, key=is_primary):
                _remove(rds, item["DBInstanceIdentifier"])

    @property
    def primary(self) -> str:
        """The identifier of the primary."""
        return names.primary(self.stack)


def is_primary(item: dict[str, Any]) -> bool:
    return "ReadReplicaSourceDBInstanceIdentifier" not in item


def _stop_copies(rds: Any, prefix: str, region: str) -> None:
    backups = rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    for item in backups:
        if item["DBInstanceIdentifier"].startswith(prefix) and item["Region"] != region:
            with contextlib.suppress(botocore.exceptions.ClientError):
                rds.stop_db_instance_automated_backups_replication(
                    SourceDBInstanceArn=item["DBInstanceArn"]
                )


def _remove(rds: Any, name: str) -> None:
    with contextlib.suppress(botocore.exceptions.ClientError):
        rds.delete_db_instance(
            DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
        )


@functools.cache
def _client(endpoint: str, service: str, region: str) -> Any:
    keys = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
    return keys.client(service, region_name=region, endpoint_url=endpoint)


@pytest.fixture(scope="session")
def place(cloud: process.Running, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Place]:
    """Make the stack of an environment: its file, and settings for the session's local cloud."""
    folder = tmp_path_factory.mktemp("stacks")

    def make(
        environment: str,
        *,
        disposable: bool = True,
        zones: str = '["us-east-1b"]',
        sections: str = "",
        **more: Any,
    ) -> Place:
        path = folder / f"{environment}.toml"
        text = STACK.format(
            environment=environment, disposable=str(disposable).lower(), zones=zones
        )
        path.write_text(f"{text}\n{sections}", encoding="utf-8")
        settings = Settings(
            stack=str(path),
            endpoint_url=cloud.endpoint_url,
            ca_bundle=cloud.ca_bundle,
            local_data=folder,
            wait_limit=60,
            **more,
        )
        return Place(path, settings)

    return make


@pytest.fixture(scope="session")
def provisioned(place: Callable[..., Place]) -> Place:
    """A stack that was provisioned once."""
    made = place("shared")
    made.provision()
    return made
