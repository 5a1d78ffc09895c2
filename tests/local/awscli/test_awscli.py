"""The local cloud through awscli, unmodified: every read and write that a stack needs."""

from __future__ import annotations

import re
import shlex
import string
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from tests.local.localcloud.conftest import Cloud, awaited

pytestmark = pytest.mark.local

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CALLERS = ("haven", "tasks", "flows")
AWS = Path(sys.executable).with_name("aws")
# awscli's name for a service, where it is not botocore's.
SERVICES = {"s3api": "s3"}
# Requests of another service that have the name of one that Haven makes.
NAMESAKES = {
    f"{service} {request}"
    for service in ("ec2", "logs")
    for request in ("cancel-export-task", "describe-export-tasks")
}


@dataclass(frozen=True, slots=True)
class Line:
    """A command; what keeps its output; what it has to show, or to be refused with."""

    command: str
    name: str = ""
    shown: str = ""
    refused: str = ""


def lines() -> list[Line]:
    """Return the table."""
    texts = (HERE / "commands.txt").read_text(encoding="utf-8").splitlines()
    return [_line(text) for text in texts if text and not text.startswith("#")]


def _line(text: str) -> Line:
    command, _, refused = text.partition(" =! ")
    command, _, shown = command.partition(" => ")
    name, equals, rest = command.partition(" = ")
    return Line(rest, name, shown, refused) if equals else Line(command, "", shown, refused)


def asked_for() -> set[str]:
    """Return the operations that Haven's code names: RDS's as ``rds describe-db-instances``."""
    session = botocore.session.get_session()
    named: dict[str, set[str]] = {}
    for service in {line.command.split()[0] for line in lines()}:
        model = session.get_service_model(SERVICES.get(service, service))
        for operation in model.operation_names:
            said = f"{service} {xform_name(operation, '-')}"
            named.setdefault(xform_name(operation), set()).add(said)
    sources = [path for folder in CALLERS for path in (ROOT / folder).rglob("*.py")]
    words = {
        word
        for path in sources
        for word in re.findall(r"[a-z]+(?:_[a-z0-9]+)+", path.read_text(encoding="utf-8"))
    }
    return {said for word in words & set(named) for said in named[word]}


class Shell:
    """Runs commands of awscli, with the names that earlier ones kept."""

    def __init__(self, cloud: Cloud, files: Path, name: str) -> None:
        """Know the endpoint, a folder to write to, and a name that nobody else has."""
        self.endpoint = cloud.running.endpoint_url
        self.files = files
        self.kept = {"name": name, "files": str(files), "west": "--region us-west-2"}
        self.environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_DEFAULT_OUTPUT": "text",
        }

    def run(self, command: str, refused: str = "") -> str:
        """Run a command; it has to succeed, or to be refused with a code."""
        for document in (HERE / "documents").iterdir():
            text = string.Template(document.read_text(encoding="utf-8")).safe_substitute(self.kept)
            (self.files / document.name).write_text(text, encoding="utf-8")
        words = shlex.split(string.Template(command).substitute(self.kept))
        done = subprocess.run(  # noqa: S603  # the commands of the table
            [AWS, "--endpoint-url", self.endpoint, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == bool(refused), f"{command}\n{done.stderr}"
        assert f"({refused})" in done.stderr or not refused, f"{command}\n{done.stderr}"
        return done.stdout.strip()

    def follow(self, line: Line) -> None:
        """Run a line of the table."""
        wanted = string.Template(line.shown).substitute(self.kept)
        output = awaited(
            lambda: self.run(line.command, line.refused), lambda found: wanted in found
        )
        if line.name:
            # awscli takes zones with this prefix, except where it tags them.
            self.kept[line.name] = output.removeprefix("/hostedzone/")


def test_the_table_has_every_operation_that_haven_asks_for() -> None:
    known = {" ".join(line.command.split()[:2]) for line in lines()}
    assert asked_for() - known - NAMESAKES == set()


@pytest.mark.slow
def test_a_stack_is_made_changed_and_removed_by_awscli(
    cloud: Cloud, tmp_path: Path, name: str
) -> None:
    shell = Shell(cloud, tmp_path, name)
    for line in lines():
        shell.follow(line)
