"""Kill the local cloud at random moments; count lost rows and servers that nobody ends.

As a script: ``python -m tests.local.localcloud.kills [TIMES] [SEED]``. It ends with 1 if it finds
any, and writes its result beside those of the sweeps.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud import process, processes
from tests.fault.sweeps import RESULTS, Result
from tests.local.localcloud.conftest import Cloud, instance, new_place

LONGEST = 1.5
NAME = ("kills", "the local cloud")


@dataclass(slots=True)
class Tally:
    """What was seen."""

    kills: int = 0
    frozen: int = 0
    lost_rows: int = 0
    orphans: list[int] = field(default_factory=list)


def recorded(data: Path) -> list[int]:
    """The recorded server processes of one data directory."""
    found = []
    for path in data.glob("clusters/*/server.json"):
        try:
            found.append(json.loads(path.read_text())["pid"])
        except FileNotFoundError:  # stopped at this moment
            continue
    return found


def servers_of(data: Path) -> list[int]:
    """Every process of this machine that serves from a data directory, recorded or not."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    mark = f"{data}/clusters/"
    return [
        pid
        for pid in pids
        if processes.started(pid)
        and any(argument.startswith(mark) for argument in processes.arguments(pid))
    ]


def rounds(data: Path, times: int, seed: int) -> Tally:
    """Kill as often as asked, each time taking over what the kill before left."""
    tally, chance = Tally(), random.Random(seed)  # noqa: S311  # seeded moments, not secrets
    for number in range(times):
        before = servers_of(data)
        running = process.start(data, options=("--take-over",))
        tally.orphans += [pid for pid in before if pid in servers_of(data)]
        _use(Cloud(running), number, tally)
        threading.Event().wait(chance.uniform(0, LONGEST))
        pids = recorded(data)
        if number % 2 and pids:
            # One that is stopped does not hear that its parent has died.
            os.kill(chance.choice(pids), signal.SIGSTOP)
            tally.frozen += 1
        os.kill(running.pid, signal.SIGKILL)
        running.stop()
        tally.kills += 1
    before = servers_of(data)
    with process.start(data) as running:
        tally.orphans += [pid for pid in before if pid in servers_of(data)]
        assert Cloud(running).client("rds").describe_db_instances()["DBInstances"] == []
    tally.orphans += servers_of(data)
    return tally


def _use(cloud: Cloud, number: int, tally: Tally) -> None:
    """Find the rows of all rounds before, add one, and have something under way."""
    rds = cloud.client("rds")
    if number == 0:
        cloud.create("kept", MultiAZ=True)
    host = cloud.await_status("kept")["Endpoint"]["Address"]
    with cloud.connect(host) as session:
        session.execute("CREATE TABLE IF NOT EXISTS rounds (number int)")
        tally.lost_rows += number - _count(session)
        session.execute("INSERT INTO rounds VALUES (%s)", (number,))
    for item in rds.describe_db_instances()["DBInstances"]:
        name = item["DBInstanceIdentifier"]
        if name != "kept":
            cloud.await_status(name)
            rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    rds.create_db_instance(**instance(f"extra-{number}", MultiAZ=True))
    if number:
        rds.reboot_db_instance(DBInstanceIdentifier="kept", ForceFailover=True)


def _count(session: Any) -> int:
    row = session.execute("SELECT count(*) FROM rounds").fetchone()
    return int(row[0])


def main() -> int:
    """Print and write what was seen in so many rounds."""
    parser = argparse.ArgumentParser(prog="python -m tests.local.localcloud.kills")
    parser.add_argument("times", nargs="?", type=int, default=50)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    given = parser.parse_args()
    begin, data = time.monotonic(), new_place()
    try:
        tally = rounds(data, given.times, given.seed)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    sys.stdout.write(f"{tally}\n")
    wrong = {"rows lost": tally.lost_rows, "servers left": len(tally.orphans)}
    result = Result(
        *NAME, seed=given.seed, total=given.times, tried=tally.kills, reached=tally.kills
    )
    result.failures = {what: [str(count)] for what, count in wrong.items() if count}
    result.seconds = round(time.monotonic() - begin)
    result.write(RESULTS)
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
