"""A local cloud, a stack whose servers log all they may, Prefect's server, and credentials planted."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flows.frame import Run, open_run
from haven.cli.local import child_environment, prefect_server
from haven.errors import HavenError
from haven.settings import Settings
from tests.fault.ground import Ground, new_ground
from tests.local.secrets.collected import Collection
from tests.local.secrets.planted import whole
from tests.local.secrets.processes import Watch
from tests.local.secrets.shown import everything_of

ROOT = Path(__file__).parents[3]
LONGEST_COMMAND = 120.0
TALKATIVE = """
[database.parameters]
log_statement = "ddl"
log_min_error_statement = "error"
"""
# What a person's shell may hold when Haven is started in it.
GIVEN = {
    name: f"{name.lower()}-{secrets.token_urlsafe(24)}"
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "PGPASSWORD",
        "PREFECT_API_KEY",
    )
}


@dataclass(slots=True)
class Place:
    """Where runs happen, what is secret there, and what they said."""

    ground: Ground
    prefect: str
    homes: tuple[Path, Path]
    watch: Watch
    known: Collection
    console: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def gather(self) -> None:
        """Learn what is a secret now."""
        self.known.gather(self.ground.account, self.ground.cloud.data)

    def plant(self, name: str) -> str:
        """Return a new secret value, and look for it from now on."""
        value = f"{secrets.token_urlsafe(18)}&+=#{secrets.token_urlsafe(9)}"
        self.known.add(whole(name, value))
        return value

    def open_run(self) -> Run:
        """Open a run in this process; what it prints is kept."""
        return open_run(Settings(**self.ground.settings), self.console.append)

    def failing(self, act: Callable[[Run], object]) -> HavenError:
        """Run something that must fail with an error of Haven's; keep all there is to see of it."""
        run = self.open_run()
        with pytest.raises(HavenError) as caught:
            act(run)
        self.exceptions.append(everything_of(caught.value))
        self.shown.append(repr(run))
        return caught.value

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command of Haven in a shell that holds credentials."""
        settings = {
            f"HAVEN_{key}".upper(): str(value) for key, value in self.ground.settings.items()
        }
        environment = {
            **child_environment(GIVEN),
            **settings,
            "PREFECT_API_URL": f"{self.prefect}/api",
            "PREFECT_HOME": str(self.homes[1]),
            "PREFECT_LOGGING_LEVEL": "DEBUG",
            **more,
        }
        child = subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-m", "haven.cli", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.watch.forgive(child.pid, environment)
        return child

    def finish(self, child: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for the end of a command; keep what it said."""
        said, _ = child.communicate(timeout=LONGEST_COMMAND)
        self.console.append(said)
        return child.returncode, said

    def command(self, *arguments: str, **more: str) -> str:
        """Run a command of Haven that must succeed."""
        status, said = self.finish(self.start(*arguments, **more))
        assert status == 0, f"haven {' '.join(arguments)} ended with {status}: {said[-2000:]}"
        return said

    def refused(self, *arguments: str, **more: str) -> str:
        """Run a command of Haven that must fail with an error of Haven's."""
        status, said = self.finish(self.start(*arguments, **more))
        assert status == 1, f"haven {' '.join(arguments)} ended with {status}: {said[-2000:]}"
        assert "Nobody foresaw this" not in said
        return said


@contextlib.contextmanager
def new_place(folder: Path) -> Iterator[Place]:
    """Start everything, and stop it at the end."""
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as shell:
            for name, value in GIVEN.items():
                shell.setenv(name, value)
            watch = Watch(os.getpid())
            stack.enter_context(watch.watching())
            with ThreadPoolExecutor(1) as beside:
                server = prefect_server(folder, _free_port())
                url = beside.submit(stack.enter_context, server)
                ground = stack.enter_context(new_ground())
        place = Place(
            ground, url.result(), (folder / "prefect", folder / "client"), watch, Collection()
        )
        with Path(str(ground.settings["stack"])).open("a", encoding="utf-8") as file:
            file.write(TALKATIVE)
        place.known.add(*(whole(name, value) for name, value in GIVEN.items()))
        yield place


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
