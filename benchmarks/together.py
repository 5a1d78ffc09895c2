"""Two at once: how soon the one that finds the lock held says by whom, and ends.

Starts a local cloud where an instance takes 8 s, then ``haven run provision`` twice; then, on
the stack that stands, ``haven run migrate`` twice over a migration that takes 8 s. Each is a
process of its own. The second of each pair must end with exit status 1 and the holder's name.
The last line is JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ground.places import HAVEN, PROJECT, scratch

from localcloud import process

LATENCY = {"instance": 8.0}
SLOW_FILE = "SELECT pg_sleep(8);\n"
TRIES = 3
GOALS = {"provision_loser_s": 2.0, "migrate_loser_s": 2.0}


def main() -> int:
    """Measure both pairs and print the figures; exit 0 when the goals are held."""
    with scratch() as folder, process.start(folder / "cloud", latency=LATENCY) as running:
        schema = folder / "schema"
        schema.mkdir()
        (schema / "0001_slow.sql").write_text(SLOW_FILE, encoding="utf-8")
        environment = os.environ | {  # noqa: TID251  # for the processes it starts
            "HAVEN_STACK": "local",
            "HAVEN_CLOUD": "local",
            "HAVEN_ENDPOINT_URL": running.endpoint_url,
            "HAVEN_CA_BUNDLE": str(running.ca_bundle),
            "HAVEN_LOCAL_DATA": str(running.data),
            "HAVEN_SCHEMA_DIR": str(schema),
        }
        figures = {
            f"{operation}_loser_s": round(_losers(operation, environment), 3)
            for operation in ("provision", "migrate")
        }
    held = all(figures[name] <= goal for name, goal in GOALS.items())
    print(json.dumps({"benchmark": "together", "figures": figures, "goals": GOALS, "held": held}))
    return 0 if held else 1


def _losers(operation: str, environment: dict[str, str]) -> float:
    """Start one that takes long, and others beside it; return the others' median in seconds."""
    with _started(operation, environment) as first:
        _until_at_work(first)
        taken = []
        for _ in range(TRIES):
            begin = time.perf_counter()
            with _started(operation, environment) as loser:
                said = loser.communicate(timeout=60)[1]
            taken.append(time.perf_counter() - begin)
            if loser.returncode != 1 or f"pid {first.pid}" not in said:
                raise SystemExit(f"the second {operation} ended {loser.returncode}: {said}")
        said = first.communicate(timeout=120)[1]
        if first.returncode:
            raise SystemExit(f"the first {operation} failed: {said}")
    print(f"{operation}: the second ends after {statistics.median(taken):.2f} s", flush=True)
    return statistics.median(taken)


@contextmanager
def _started(operation: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [*HAVEN, "run", operation, "--without-prefect"]
    with subprocess.Popen(  # noqa: S603  # our own
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def _until_at_work(child: subprocess.Popen[str]) -> None:
    """Read its progress until it works under its lock."""
    if child.stderr is None or not child.stderr.readline():
        raise SystemExit("the first ended before it was at work")


if __name__ == "__main__":
    sys.exit(main())
