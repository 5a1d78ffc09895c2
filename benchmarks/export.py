"""An export beside the server's own COPY and beside other ways to bring a table into S3.

Starts a local cloud of its own with a wide and a narrow table, ``--rows`` and two and a half times as
many. Every way is a process of its own, all upload to the same local S3 with the same checksums,
interleaved, medians of ``--rounds``. What is Haven's includes the fingerprint of every row, which no other
way computes. The S3 here is a Python program on the same two cores, which all ways pay for but COPY.
The peers are installed into a folder that goes away. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ground.places import PROJECT, scratch
from ground.stack import MIGRATOR, lone_stack, provisioned

from flows.endpoints import writer_logins
from flows.frame import Run
from flows.migrate import MigrateParameters, migrate
from haven.pg import Login, open_connection
from tasks.export_store import open_store

READER = "haven_reader"
HERE = Path(__file__).parent / "peers"
GOALS = {
    "wide_to_copy": 1.35,
    "narrow_to_copy": 2.0,
    "wide_to_duckdb": 1.0,
    "narrow_to_duckdb": 1.0,
    "wide_size_to_duckdb": 1.05,
    "narrow_size_to_duckdb": 1.05,
    "memory_mb": 300.0,
}
TABLES = """
SET ROLE haven_owner;
CREATE TABLE haven_health.bench_wide AS
SELECT gen_random_uuid() AS id, n::bigint AS number, 'name ' || n AS name,
    now() + n * interval '1 s' AS made, now() + n * interval '3 s' AS changed,
    date '1990-01-01' + (n %% 9000) AS day, (n %% 100000 / 7.0)::numeric(12, 4) AS amount,
    jsonb_build_object('a', n, 'b', 'text ' || n %% 1000) AS doc,
    decode(md5(n::text) || md5((n + 1)::text), 'hex') AS content, md5(n::text) AS digest,
    'status ' || n %% 7 AS status, repeat('words of a note ' || n %% 50, 4) AS note,
    n * 1.5::float8 AS measure, n %% 3 = 0 AS flag
FROM generate_series(1, %(wide)s) AS n;
CREATE TABLE haven_health.bench_narrow AS
SELECT n::bigint AS number, n %% 7 AS v, now() + n * interval '1 s' AS made
FROM generate_series(1, %(narrow)s) AS n;
GRANT SELECT ON haven_health.bench_wide, haven_health.bench_narrow TO haven_reader;
"""
NAMES = ("wide", "narrow")
WAYS = ("copy", "haven", "duckdb", "adbc", "connectorx", "pg_dump")


def main() -> int:
    """Measure, print the figures; exit 0 when the goals are held."""
    given = _parse()
    with scratch() as folder:
        install(folder / "peers")
        with provisioned(folder, lone_stack(folder, "export")) as run:
            migrate(run, MigrateParameters())
            logins = writer_logins(run, None, [MIGRATOR, READER], application="benchmark")
            fill(replace(logins[MIGRATOR], answer_limit=None), given.rows)
            environment = surroundings(run, logins[READER], folder)
            measured = {name: measure(name, environment, given) for name in NAMES}
    numbers = figures(measured) | {"rows": given.rows, "rounds": given.rounds}
    held = all(numbers[name] <= goal for name, goal in GOALS.items())
    print(json.dumps({"benchmark": "export", "figures": numbers, "goals": GOALS, "held": held}))
    return 0 if held else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000, help="of the wide table")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", default=",".join(WAYS), help="which, with commas between")
    return parser.parse_args()


def install(folder: Path) -> None:
    """Install the peers beside what Haven itself needs."""
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps"]
    command += ["--target", str(folder), "-r", str(HERE / "export.txt")]
    subprocess.run(command, check=True)  # noqa: S603  # pinned packages


def fill(login: Login, rows: int) -> None:
    """Make both tables."""
    with open_connection(login) as connection:
        statement = TABLES % {"wide": rows, "narrow": rows * 5 // 2}
        connection.execute(statement.encode())
        connection.execute("VACUUM ANALYZE haven_health.bench_wide, haven_health.bench_narrow")


def surroundings(run: Run, login: Login, folder: Path) -> dict[str, str]:
    """Return the environment of a way: where the tables are, and the sink."""
    target = open_store(run.site, "bench", "full").target
    given = {
        "host": login.host,
        "port": login.port,
        "database": login.database,
        "user": login.user,
        "password": login.password,
        "ca": str(login.ca_bundle),
        "endpoint": run.settings.endpoint_url,
        "bucket": target.bucket,
        "account": target.account,
        "kms_key": target.kms_key,
        "folder": str(folder),
        "peers": str(folder / "peers"),
        "partition": "number",
    }
    paths = f"{PROJECT}{os.pathsep}{folder / 'peers'}"
    return {"BENCH_EXPORT": json.dumps(given), "PYTHONPATH": paths, "PATH": os.defpath}


def measure(
    name: str, environment: Mapping[str, str], given: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Run every way over a table, one after the other in each round; return the medians."""
    ways = given.ways.split(",")
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(given.rounds):
        for way in ways:
            found[way].append(once(way, f"bench_{name}", environment))
    medians = {way: _medians(each) for way, each in found.items()}
    for way, one in medians.items():
        print(name, way, {key: round(value, 2) for key, value in one.items()}, flush=True)
    return medians


def _medians(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: statistics.median(one[key] for one in each) for key in each[0]}


def once(way: str, table: str, environment: Mapping[str, str]) -> dict[str, float]:
    """Run one way over one table."""
    command = [sys.executable, str(HERE / "export_ways.py"), way, table]
    ended = subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE)  # noqa: S603
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def figures(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the ratios, and the most memory that Haven had."""
    numbers: dict[str, float] = {}
    for name, ways in measured.items():
        mine = ways["haven"]
        for way, one in ways.items():
            if way != "haven":
                numbers[f"{name}_to_{way}"] = round(mine["seconds"] / one["seconds"], 3)
                numbers[f"{name}_cpu_to_{way}"] = round(mine["cpu"] / max(one["cpu"], 0.01), 3)
        if "duckdb" in ways:
            numbers[f"{name}_size_to_duckdb"] = round(mine["bytes"] / ways["duckdb"]["bytes"], 3)
    numbers["memory_mb"] = round(max(ways["haven"]["memory_mb"] for ways in measured.values()), 1)
    return numbers


if __name__ == "__main__":
    sys.exit(main())
