"""The demo: a whole stack on this machine, from nothing to proven, then gone again."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from haven.cli import show
from haven.cli.local import local_cloud
from haven.cli.operations import OPERATIONS
from haven.settings import load_settings

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it


def run_demo(*, patients: int, keep: bool) -> int:
    """Start a local cloud, provision, migrate, load data, prove it; then remove everything."""
    from flows.frame import open_run  # noqa: PLC0415  # imported late, as every operation

    begin = time.monotonic()
    with _scratch() as data, local_cloud(data, 0) as endpoint:
        _title(begin, "local cloud is up", endpoint)
        settings = load_settings(
            stack="local",
            cloud="local",
            endpoint_url=endpoint,
            ca_bundle=data / "ca.pem",
            local_data=data,
        )
        for name in ("provision", "migrate"):
            function, model = OPERATIONS[name].load()
            with show.progress(quiet=False) as progress:
                report = function(open_run(settings, progress), model())
            _title(begin, f"{name} is done", f"{len(report.steps)} steps, {report.evidence}")
            _proof(report)
        sample = importlib.import_module("flows.sample_data")
        with show.progress(quiet=False) as progress:
            loaded = sample.load(open_run(settings, progress), patients=patients, seed=1)
        _title(begin, "sample data is loaded", loaded.summary)
        again = OPERATIONS["provision"].load()
        second = again[0](open_run(settings), again[1]())
        _title(
            begin,
            "provision again",
            f"{second.aws_writes} AWS writes, {second.aws_reads} reads: nothing to change",
        )
        show.line(f"\nDone in {time.monotonic() - begin:.0f} s. './dev up' keeps one running.")
        if keep:
            _stay(settings)
    return 0


def _title(begin: float, what: str, detail: str) -> None:
    show.line(f"\n{time.monotonic() - begin:5.1f} s  {what}: {detail}")


def _proof(report: Any) -> None:
    for endpoint in getattr(report, "endpoints", ()):
        side = "replica" if endpoint.in_recovery else "writer"
        show.line(
            f"         {endpoint.user:15} {endpoint.address:19} verify-full  {side:8} "
            f"{endpoint.name}"
        )


def _stay(settings: Any) -> None:
    show.line(f"\nIt stays up until Ctrl-C; settings: HAVEN_LOCAL_DATA={settings.local_data}")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder in memory where there is one; the server's user must be able to enter it."""
    parent = MEMORY if MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="haven-demo-", dir=parent))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
