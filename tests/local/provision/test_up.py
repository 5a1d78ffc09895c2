"""``haven up``: the local cloud, and beside it the heartbeat of what is provisioned there."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.frame import open_run
from flows.migrate import MigrateParameters, migrate
from flows.provision import ProvisionParameters, provision
from haven.settings import Settings
from tests.local.provision.beating import BEATING
from tests.local.provision.conftest import STACK

pytestmark = pytest.mark.local

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that the servers' user can enter."""
    with tempfile.TemporaryDirectory(prefix="haven-up-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_the_heart_beats_beside_the_local_cloud_once_there_is_a_stack(
    data: Path, tmp_path: Path
) -> None:
    stack = tmp_path / "up.toml"
    stack.write_text(STACK.format(environment="up", disposable="true", zones="[]"))
    command = [sys.executable, "-m", "haven.cli", "up", "--no-prefect", "--port", "0"]
    child = subprocess.Popen(  # noqa: S603  # ourselves
        [*command, "--data", str(data)],
        cwd=PROJECT,
        env={"HAVEN_STACK": str(stack)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    endpoint = child.stdout.readline().split()[-1]
    assert child.stdout.readline().startswith("Next, in another terminal")
    settings = Settings(stack=str(stack), endpoint_url=endpoint, ca_bundle=data / "ca.pem")
    provision(open_run(settings), ProvisionParameters())
    migrate(open_run(settings), MigrateParameters())
    assert child.stdout.readline().startswith(BEATING)
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=60) == ("Stopping.\n", "")
    assert child.returncode == 0
