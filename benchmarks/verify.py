"""What a fingerprint costs beside a parallel count, and a whole verification beside a raw copy.

Starts a local cloud of its own, with a stack and a gigabyte of rows: a wide table and a narrow one.
Interleaved, medians of several rounds, all in the same run:

- the fingerprint of a table ÷ ``count(*)`` of it, both parallel, and ÷ the sum of ``hashtext`` over
  rows as text, which is what people write first;
- wall time of ``haven run verify-backup`` as a process ÷ (a raw copy of the data directory + one
  fingerprint of everything), and the most memory that process had.

The service clock is moved once, so that the WAL is handed over without five minutes of waiting. The
last line is JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ground.places import HAVEN, scratch
from ground.stack import MIGRATOR, lone_stack, provisioned
from psycopg import sql

from flows.endpoints import writer_logins
from flows.frame import Run
from flows.migrate import MigrateParameters, migrate
from haven.pg import Connection, Login, open_connection
from haven.verification.fingerprint import Relation
from haven.waiting import SYSTEM_CLOCK
from tasks import fingerprints
from tasks.heartbeat import write_beat

ROUNDS = 5
WIDE, NARROW = 1_400_000, 5_000_000
READER = "haven_reader"
STEP_S = 301
# What a run asks while it waits for the archive, and how often it has then been asked.
ASKED, OFTEN = "DescribeDBInstanceAutomatedBackups", 4
GOALS = {
    "wide_to_count": 8.0,
    "narrow_to_count": 4.0,
    "wide_to_hashtext": 0.35,
    "memory_mb": 200.0,
    "whole_to_copy_and_fingerprint": 1.5,
}
TABLES = """
SET ROLE haven_owner;
CREATE TABLE haven_health.bench_wide AS
SELECT gen_random_uuid() AS id, n AS a, 'name ' || n AS b, now() + n * interval '1 s' AS c,
    md5(n::text) AS d, (n %% 100)::numeric / 7 AS e,
    jsonb_build_object('a', n, 'b', 'text ' || n) AS f, decode(repeat(md5(n::text), 6), 'hex') AS g,
    repeat(md5(n::text), 8) AS h, n %% 3 = 0 AS i
FROM generate_series(1, %(wide)s) AS n;
CREATE TABLE haven_health.bench_narrow AS
SELECT n AS id, n %% 7 AS v FROM generate_series(1, %(narrow)s) AS n;
ALTER TABLE haven_health.bench_wide ADD PRIMARY KEY (id);
ALTER TABLE haven_health.bench_narrow ADD PRIMARY KEY (id);
GRANT SELECT ON haven_health.bench_wide, haven_health.bench_narrow TO haven_reader;
"""
SIZE = (
    "SELECT pg_total_relation_size('haven_health.bench_wide') "
    "+ pg_total_relation_size('haven_health.bench_narrow')"
)
COUNT = "SELECT count(*) FROM {}"
HASHTEXT = "SELECT count(*), sum(hashtext(t::text)) FROM {} AS t"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole verification as a process: its wall time, its most memory, its verdict."""

    seconds: float
    memory_mb: float
    verdict: str


def main() -> int:
    """Measure, print the figures; exit 0 when the goals are held."""
    with scratch() as folder, provisioned(folder, lone_stack(folder, "verify")) as run:
        migrate(run, MigrateParameters())
        found = writer_logins(run, None, [MIGRATOR, READER], application="benchmark")
        logins = {user: replace(login, answer_limit=None) for user, login in found.items()}
        size = fill(logins[MIGRATOR])
        beat(run, logins[MIGRATOR])
        tables = measure_tables(logins[READER])
        everything = timed(lambda: fingerprint_all(logins[READER]))
        copy = timed(lambda: raw_copy(folder))
        whole = verify(run)
    numbers: dict[str, float] = tables | {
        "bytes": size,
        "fingerprint_mb_per_second": round(size / everything / 1e6, 1),
        "raw_copy": round(copy, 2),
        "fingerprint_of_everything": round(everything, 2),
        "whole": round(whole.seconds, 2),
        "whole_to_copy_and_fingerprint": round(whole.seconds / (copy + everything), 3),
        "memory_mb": round(whole.memory_mb, 1),
    }
    held = whole.verdict == "verified" and all(
        numbers[name] <= goal for name, goal in GOALS.items()
    )
    figures = numbers | {"verdict": whole.verdict}
    print(json.dumps({"benchmark": "verify", "figures": figures, "goals": GOALS, "held": held}))
    return 0 if held else 1


def fill(login: Login) -> int:
    """Make both tables; return their bytes, indexes and TOAST included."""
    with open_connection(login) as connection:
        statement = TABLES % {"wide": WIDE, "narrow": NARROW}
        connection.execute(statement.encode())
        connection.execute("VACUUM ANALYZE haven_health.bench_wide, haven_health.bench_narrow")
        row = connection.execute(SIZE).fetchone()
    return int(row[0]) if row else 0


def beat(run: Run, login: Login) -> None:
    """Let the heart beat once."""
    with open_connection(login) as connection:
        write_beat(connection, run.loaded.stack.prefix, instance="benchmark", who="benchmark")


def measure_tables(login: Login) -> dict[str, float]:
    """Measure the three ways over both tables, one after the other in each round."""
    figures: dict[str, float] = {}
    with open_connection(login) as connection:
        fingerprints.begin(connection)
        known = {item.name: item for item in fingerprints.read_relations(connection)}
        for name in ("wide", "narrow"):
            ways = _ways(connection, known[f"bench_{name}"])
            times = {way: [] for way in ways}  # type: dict[str, list[float]]
            for _ in range(ROUNDS):
                for way, work in ways.items():
                    times[way].append(timed(work))
            medians = {way: statistics.median(found) for way, found in times.items()}
            print(name, {way: round(found, 3) for way, found in medians.items()})
            mine = medians["fingerprint"]
            figures[f"{name}_to_count"] = round(mine / medians["count"], 3)
            figures[f"{name}_to_hashtext"] = round(mine / medians["hashtext"], 3)
    return figures


def _ways(connection: Connection, relation: Relation) -> dict[str, Callable[[], object]]:
    table = sql.Identifier(relation.schema, relation.name)
    return {
        "count": lambda: connection.execute(sql.SQL(COUNT).format(table)).fetchall(),
        "fingerprint": lambda: fingerprints.read_sum(connection, relation),
        "hashtext": lambda: connection.execute(sql.SQL(HASHTEXT).format(table)).fetchall(),
    }


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds it takes."""
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def fingerprint_all(login: Login) -> None:
    """Read the fingerprint of every relation."""
    with open_connection(login) as connection:
        fingerprints.begin(connection)
        for relation in fingerprints.read_relations(connection):
            if relation.readable:
                fingerprints.read_sum(connection, relation)


def raw_copy(folder: Path) -> None:
    """Copy the primary's data directory, as a program that only copies would."""
    clusters = folder / "cloud" / "clusters"
    largest = max(clusters.iterdir(), key=lambda path: _bytes(path / "data" / "base"))
    shutil.copytree(largest / "data", folder / "copied", ignore=shutil.ignore_patterns("*.pid"))
    shutil.rmtree(folder / "copied")


def _bytes(path: Path) -> int:
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())


def verify(run: Run) -> Whole:
    """Run a verification as a process of its own."""
    begin = time.monotonic()
    child = subprocess.Popen(  # noqa: S603  # our own command line
        [*HAVEN, "run", "verify-backup", "--json", "--without-prefect"],
        stdout=subprocess.PIPE,
        text=True,
    )
    clock = threading.Thread(target=_move_clock, args=(run, child))
    clock.start()
    text = child.stdout.read() if child.stdout else ""
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begin
    clock.join()
    report = json.loads(text) if child.returncode == 0 else {}
    return Whole(seconds, used.ru_maxrss / 1024, report.get("verdict", "failed"))


def _move_clock(run: Run, child: subprocess.Popen[str]) -> None:
    """Move the service clock once the run asks again and again how far the archive is."""
    control = f"{run.settings.endpoint_url}/localcloud"
    while child.poll() is None:
        with urllib.request.urlopen(f"{control}/calls", timeout=60) as answer:  # noqa: S310
            calls = [call["operation"] for call in json.load(answer)["calls"]]
        if calls.count(ASKED) >= OFTEN:
            body = json.dumps({"advance": STEP_S}).encode()
            request = urllib.request.Request(f"{control}/clock", data=body, method="POST")  # noqa: S310
            urllib.request.urlopen(request, timeout=120).close()  # noqa: S310
            return
        SYSTEM_CLOCK.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
