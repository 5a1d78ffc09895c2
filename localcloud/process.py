"""The local cloud as a child process, for tests and for other command lines."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from localcloud import settings
from localcloud.errors import LocalCloudError

_READY_LIMIT = 90.0
_STOP_LIMIT = 60.0
_TAIL = 2000


@dataclass(slots=True)
class Running:
    """A local cloud that is up. A context manager: leaving it stops the process."""

    endpoint_url: str
    ca_bundle: Path
    pid: int
    data: Path
    child: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ask it to stop, and wait until every server of it has."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise LocalCloudError(
                f"The local cloud {self.pid} did not stop in {_STOP_LIMIT:g} s and was killed."
            ) from None
        finally:
            if self.child.stdout:
                self.child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.stop()


def start(
    data: Path | None = None,
    port: int = 0,
    latency: Mapping[str, float] | None = None,
    *,
    options: tuple[str, ...] = (),
) -> Running:
    """Start a local cloud and return it when it is ready.

    ``options`` are further arguments of the command line. Raises ``LocalCloudError`` with what
    the child said when it does not become ready.
    """
    command = [sys.executable, "-m", "localcloud", "serve", "--port", str(port), *options]
    if data is not None:
        command += ["--data", str(data)]
    if latency:
        command += ["--latency", *[f"{kind}={seconds}" for kind, seconds in latency.items()]]
    said = tempfile.TemporaryFile()  # noqa: SIM115  # closed below, or with the exception
    child = subprocess.Popen(  # noqa: S603  # this package itself
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
        cwd=Path(__file__).parents[1],
        env=settings.own_environment(),
        start_new_session=True,
    )
    line = _first_line(child)
    if not line:
        _end(child)
        said.seek(0)
        words = _paragraph(said.read().decode("utf-8", "replace"))
        said.close()
        raise LocalCloudError(f"The local cloud did not become ready. {words}")
    said.close()
    facts = json.loads(line)
    return Running(
        facts["endpoint_url"], Path(facts["ca_bundle"]), facts["pid"], Path(facts["data"]), child
    )


def _paragraph(said: str) -> str:
    """Return what a child said as one paragraph; of a traceback, its last line."""
    lines = said.strip().splitlines()
    kept = lines[-1:] if any(line.startswith("Traceback ") for line in lines) else lines
    return " ".join(" ".join(kept).split())[-_TAIL:]


def _first_line(child: subprocess.Popen[bytes]) -> bytes:
    output: IO[bytes] | None = child.stdout
    if output is None:
        return b""
    end = time.monotonic() + _READY_LIMIT
    read = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while b"\n" not in read and time.monotonic() < end:
            if not selector.select(timeout=1.0):
                continue
            piece = os.read(output.fileno(), 65536)
            if not piece:
                return b""
            read += piece
    return read if b"\n" in read else b""


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
    pause = threading.Event()
    end = time.monotonic() + _STOP_LIMIT
    while child.poll() is None and time.monotonic() < end:
        pause.wait(0.05)
    if child.poll() is None:
        child.kill()
        child.wait()
    if child.stdout:
        child.stdout.close()
