"""A stack that Terraform's AWS provider builds, plans, loses to Haven's tags, and destroys again.

Needs ``terraform`` on the PATH; where it gets the provider from is for TF_CLI_CONFIG_FILE of the
caller's environment to say. Takes about eight minutes: the provider waits as long as AWS needs.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.adopt import AdoptParameters, adopt
from flows.frame import open_run
from flows.provision import ProvisionParameters, provision
from haven.errors import Conflict
from haven.settings import Settings
from haven.stack.adoption import Standing
from localcloud import process
from tests.fault.cases import differences
from tests.fault.inventory import Account

pytestmark = [
    pytest.mark.local,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("terraform") is None, reason="terraform is not on the PATH of this machine"
    ),
]

PREFIX = "haven-tests-classic"
RESOURCES = 49
STACK = """
project = "haven-tests"
environment = "classic"
account = "123456789012"

[network]
vpc = {vpc}
subnets = {subnets}

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

[alarms]
email = "alerts@example.org"
connections = 80
free_storage_gib = 10
"""
# What AWS leaves in an account: keys that wait to be deleted, keys of its own, and the log groups
# that RDS makes, for enhanced monitoring and for what instances export.
STAYS = ("pending deletion", "alias/aws/", "RDSOSMetrics", "/aws/rds/instance/")
# What the classic configuration has otherwise than a stack of Haven's: address, attributes.
DIFFERENT = {
    "bucket/us-east-1/haven-tests-classic-backups-123456789012": "lifecycle, replication differ",
    "event-subscription/us-east-1/haven-tests-classic-events": "categories differs",
    "instance/us-east-1/haven-tests-classic-primary": "log_exports differs",
    "instance/us-east-1/haven-tests-classic-replica-1": "parameter_group differs",
    "instance/us-east-1/haven-tests-classic-replica-2": "parameter_group differs",
    "key/us-east-1/haven-tests-classic": "policy differs",
    "log-group/us-east-1//aws/rds/instance/haven-tests-classic-primary/postgresql": (
        "retention_days differs"
    ),
    "log-group/us-east-1//aws/rds/instance/haven-tests-classic-replica-1/postgresql": (
        "retention_days differs"
    ),
    "log-group/us-east-1//aws/rds/instance/haven-tests-classic-replica-2/postgresql": (
        "retention_days differs"
    ),
    "parameter-group/us-east-1/haven-tests-classic-primary-postgres15": "parameters differs",
    "proxy/us-east-1/haven-tests-classic-proxy": "secrets differs",
    "role/us-east-1/haven-tests-classic-export": "policy, managed differ",
    "role/us-east-1/haven-tests-classic-proxy": "policy, strange differ",
    "secret/us-east-1/haven-tests/classic/master": "replica_region, replica_key differ",
    "security-rules/us-east-1/haven-tests-classic-database": "rules differs",
    "security-rules/us-east-1/haven-tests-classic-proxy": "rules differs",
    "topic/us-east-1/haven-tests-classic-alerts": "policy differs",
    "zone/us-east-1/classic.haven-tests.internal": "whole differs",
}


@dataclass(frozen=True, slots=True)
class Terraform:
    """The classic configuration in a folder of its own, pointed at the local cloud."""

    folder: Path
    cloud: process.Running

    def run(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Run a command of Terraform's and return what it printed."""
        done = subprocess.run(  # noqa: S603  # fixed arguments
            ["terraform", arguments[0], "-no-color", *arguments[1:]],  # noqa: S607  # on the PATH
            cwd=self.folder,
            env={
                **os.environ,  # noqa: TID251  # the caller says where providers come from
                "AWS_ENDPOINT_URL": self.cloud.endpoint_url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_EC2_METADATA_DISABLED": "true",
                "TF_IN_AUTOMATION": "1",
                "TF_VAR_master_password": "Correct-Horse-1",
            },
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode in allowed, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def output(self, name: str) -> Any:
        """Return an output's value."""
        return json.loads(self.run("output", "-json", name))

    def settings(self) -> Settings:
        """Write the stack file that fits, and return the settings that use it."""
        path = self.folder / "classic.toml"
        values = {name: json.dumps(self.output(name)) for name in ("vpc", "subnets")}
        path.write_text(STACK.format(**values), encoding="utf-8")
        return Settings(
            stack=str(path),
            endpoint_url=self.cloud.endpoint_url,
            ca_bundle=self.cloud.ca_bundle,
            local_data=self.folder,
        )


@pytest.fixture
def terraform(cloud: process.Running, tmp_path: Path) -> Terraform:
    folder = shutil.copytree(Path(__file__).parent / "classic", tmp_path / "classic")
    made = Terraform(folder, cloud)
    made.run("init", "-input=false")
    return made


def test_a_classic_stack_is_built_taken_over_and_destroyed(terraform: Terraform) -> None:
    account = Account(terraform.cloud.endpoint_url)
    before = account.inventory()
    built = terraform.run("apply", "-auto-approve", "-input=false")
    assert f"Apply complete! Resources: {RESOURCES} added" in built
    terraform.run("plan", "-detailed-exitcode", "-input=false")

    taken_over(terraform.settings())
    terraform.run("plan", "-detailed-exitcode", "-input=false")

    gone = terraform.run("destroy", "-auto-approve", "-input=false")
    assert f"Destroy complete! Resources: {RESOURCES} destroyed" in gone
    left = {
        name: value
        for name, value in account.inventory().items()
        if not any(text in name for text in STAYS)
    }
    assert differences(before, left) == []


def taken_over(settings: Settings) -> None:
    """Adopt the stack, and look at what a plan then shows."""
    with pytest.raises(Conflict, match="has no tag haven:stack"):
        provision(open_run(settings), ProvisionParameters(dry_run=True))
    shown = adopt(open_run(settings), AdoptParameters(confirm=PREFIX))
    standings = Counter(item.standing for item in shown.resources)
    assert standings == {Standing.ABSENT: 47, Standing.UNTAGGED: 26, Standing.UNTAGGABLE: 6}
    assert len(shown.steps) == standings[Standing.UNTAGGED]

    plan = provision(open_run(settings), ProvisionParameters(dry_run=True))
    made = {step.subject for step in plan.steps if step.verb == "create"}
    assert made == {item.address for item in shown.resources if item.standing == "absent"}
    mended = {step.subject: step.because for step in plan.steps if step.verb == "update"}
    assert mended == DIFFERENT
    assert not [step for step in plan.steps if "replaces" in step.hazards]
    again = adopt(open_run(settings), AdoptParameters())
    assert (again.steps, again.aws_writes) == ([], 0)
