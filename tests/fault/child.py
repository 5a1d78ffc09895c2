"""One run of an operation in a process of its own, which may be killed on its way."""

import contextlib
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows import frame
from haven.aws import Cloud
from haven.errors import HavenError
from haven.lease import Lease
from haven.settings import Settings
from haven.waiting import SYSTEM_CLOCK
from tests.fault.operations import act
from tests.fault.points import Point, Tripwire, install

STOPPED = 1
BUG = 3
AGAIN = ("Conflict", "Unavailable")
SERVICES = (
    "cloudwatch",
    "ec2",
    "iam",
    "kms",
    "logs",
    "rds",
    "resourcegroupstaggingapi",
    "route53",
    "s3",
    "secretsmanager",
    "sns",
    "sts",
)


def read_models() -> None:
    """Read what every run reads before its first request, in the process they are forked from."""
    nowhere = Cloud(Settings(endpoint_url="http://127.0.0.1:1"))
    for service in SERVICES:
        nowhere.client(service, "us-east-1")
    gc.freeze()


read_models()


@dataclass(frozen=True, slots=True)
class Job:
    """What a child does, and where it leaves what it said; ``settings`` win over the ground's."""

    operation: str
    settings: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    target: Point | None = None
    at_count: int | None = None
    delay: float = 0.0
    # Seconds to go on trying while a killed run's lock lasts, or a server comes back.
    patience: float = 0.0
    # Ports to use instead of others, by host and port.
    ports: dict[str, int] = field(default_factory=dict)


def main(job: Job) -> None:
    """Run the job and end the process: 0 done, 1 stopped with an error of Haven's, 3 a bug."""
    said = os.open(job.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    wire = Tripwire(job.target, job.at_count)
    install(wire, job.ports)
    held = _watch_lock()
    SYSTEM_CLOCK.sleep(job.delay)
    begin = time.monotonic()
    status, outcome = _outcome(job)
    outcome |= {"began": begin, "seconds": round(time.monotonic() - begin, 3), "held": held}
    (job.folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    wire.write(job.folder / "points.json")
    sys.stdout.flush()
    os._exit(status)


def _watch_lock() -> list[tuple[float, float]]:
    """Note when the stack's lock is held, from after it was taken to before it is released."""
    times: list[tuple[float, float]] = []
    locked: Any = frame
    take = locked.held_lease

    @contextlib.contextmanager
    def watched(*args: Any, **named: Any) -> Iterator[Lease]:
        with take(*args, **named) as lease:
            begin = time.monotonic()
            try:
                yield lease
            finally:
                times.append((begin, time.monotonic()))

    locked.held_lease = watched
    return times


def _outcome(job: Job) -> tuple[int, dict[str, Any]]:
    try:
        _patient(job)
    except HavenError as error:
        return STOPPED, {"kind": error.kind, "text": str(error)}
    except BaseException as error:  # noqa: BLE001  # whatever else comes out is a bug
        traceback.print_exc()
        return BUG, {"kind": type(error).__name__, "text": str(error)}
    return 0, {"kind": "done", "text": ""}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _patient(job: Job) -> None:
    end = time.monotonic() + job.patience
    while True:
        try:
            run = frame.open_run(Settings(**job.settings), _say)
            act(job.operation, run)
        except HavenError as error:
            if error.kind not in AGAIN or time.monotonic() > end:
                raise
        else:
            return
        with contextlib.suppress(HavenError):
            SYSTEM_CLOCK.sleep(0.1)
