"""Running things on this machine: the local cloud, and Prefect's server with its UI."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from haven.cli import show
from haven.cli.heartbeat import beating
from haven.errors import Failed, InvalidRequest, Unavailable
from haven.settings import Settings
from haven.waiting import Wait, wait_for

PREFECT_PORT = 4200
PREFECT_RECORD = "prefect.json"
START_SECONDS = 120.0
STOP_SECONDS = 15.0
# No telemetry from a server that sits beside health records.
QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}

# What Prefect's server has no use for: a person's credentials for AWS, PostgreSQL and Prefect.
CREDENTIALS = ("AWS_", "PG", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")


def serve(settings: Settings, *, port: int, prefect: bool, data: Path | None) -> int:
    """Run the local cloud, Prefect's server and the heartbeat until SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.ExitStack() as stack:
        folder = data or settings.local_data
        endpoint = stack.enter_context(local_cloud(folder, port))
        show.line(f"AWS API of the local cloud   {endpoint}")
        if prefect:
            url = stack.enter_context(prefect_server(folder))
            show.line(f"Prefect UI                   {url}")
        stack.enter_context(_heartbeat(settings, folder, endpoint))
        show.line("Next, in another terminal: ./dev haven run provision. Ctrl-C stops everything.")
        stop.wait()
        show.line("Stopping.")
    return 0


@contextlib.contextmanager
def _heartbeat(settings: Settings, folder: Path, endpoint: str) -> Iterator[None]:
    """Keep the heartbeat of the settings' stack, if its file is one, on the local cloud."""
    here = {"cloud": "local", "endpoint_url": endpoint, "ca_bundle": folder / "ca.pem"}
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(beating(settings.model_copy(update=here), quiet=True))
        except InvalidRequest as error:
            show.error(f"There will be no heartbeat. {error}")
        yield


@contextlib.contextmanager
def local_cloud(data: Path, port: int) -> Iterator[str]:
    """Run the local cloud for a block; yields the address of its AWS API."""
    from localcloud import errors, process  # noqa: PLC0415  # the one place that starts it

    try:
        running = process.start(data=data, port=port)
    except errors.LocalCloudError as error:
        raise Failed(
            str(error), left="Nothing of any stack was touched.", cure="Mend that, and start again."
        ) from None
    try:
        yield running.endpoint_url
    finally:
        running.stop()


@contextlib.contextmanager
def prefect_server(data: Path, port: int = PREFECT_PORT) -> Iterator[str]:
    """Run Prefect's server for a block; yields the address of its UI."""
    url = f"http://127.0.0.1:{port}"
    record = data / PREFECT_RECORD
    environment = {
        name: value
        for name, value in child_environment({"PREFECT_HOME": str(data / "prefect")}).items()
        if not name.startswith(CREDENTIALS)
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    child = subprocess.Popen(  # noqa: S603  # our own interpreter and fixed arguments
        [*command, "--port", str(port)],
        env={**environment, **QUIET},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for_prefect(child, url)
        record.write_text(json.dumps({"api": f"{url}/api", "pid": child.pid}), encoding="utf-8")
        yield url
    finally:
        record.unlink(missing_ok=True)
        stop_child(child)


def child_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with some variables set."""
    return {**os.environ, **more}  # noqa: TID251  # handed on to a child, not read


def _wait_for_prefect(child: subprocess.Popen[bytes], url: str) -> None:
    import httpx  # noqa: PLC0415  # Prefect's own client library, needed only here

    def healthy() -> bool:
        try:
            return httpx.get(f"{url}/api/health", timeout=2).is_success
        except httpx.HTTPError:
            return False

    wait_for(
        Wait(
            what="Prefect's server to answer",
            probe=healthy,
            reached=lambda answered: answered,
            fatal=lambda _: (
                None
                if child.poll() is None
                else f"it ended with exit code {child.returncode}; is port {url[-4:]} taken?"
            ),
            interval=0.2,
            deadline=START_SECONDS,
        )
    )


def stop_child(child: subprocess.Popen[bytes]) -> None:
    """End a child that this process started: asked first, then made to."""
    if child.poll() is not None:
        return
    child.send_signal(signal.SIGINT)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def running_prefect(settings: Settings) -> str:
    """Return the API address of the server that 'haven up' runs. Raises ``Unavailable``."""
    record = settings.local_data / PREFECT_RECORD
    try:
        address: str = json.loads(record.read_text(encoding="utf-8"))["api"]
    except (OSError, ValueError, KeyError):
        raise Unavailable(
            "No Prefect server is known.",
            left="Nothing was touched.",
            cure="Start one with 'haven up', set PREFECT_API_URL, or run with --without-prefect.",
        ) from None
    return address
