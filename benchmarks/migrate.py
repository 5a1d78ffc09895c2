"""What safety costs: migrate against a plain psycopg session, and a run with nothing to do.

Starts a local cloud of its own, provisions the stack 'local' on it, and measures

- 500 small generated files, each several statements: ``migrate_database`` against one psycopg
  session that sends the same statements and commits after each file, each time on a fresh
  database of the same server;
- the plan of the same files, linted, with what each statement locks;
- ``haven run migrate --without-prefect`` with nothing to do, as a whole process, against
  ``python -c "import prefect, psycopg, boto3"``.

The runs are interleaved and medians are compared. The last line is JSON.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ground.places import HAVEN, PROJECT, scratch
from ground.stack import fresh_database, provisioned

from flows.frame import Run, open_run
from flows.migrate import MigrateParameters, migrate
from haven.pg import Login, open_connection
from haven.settings import load_settings
from tasks.ledger import Author
from tasks.migration_work import Terms
from tasks.migrations import migrate_database

FILES = 500
RUNS = 5
GOALS = {"ratio_to_plain_session": 1.25, "ratio_of_no_op_to_imports": 1.5, "plan_s": 5.0}
IMPORTS = "import prefect, psycopg, boto3"


def main() -> int:
    """Measure everything and print the figures; exit 0 when the goals are held."""
    with scratch() as folder, provisioned(folder) as run:
        schema = folder / "schema"
        statements = write_files(schema)
        figures = compare_sessions(run, schema, statements) | compare_processes()
    held = all(figures[name] <= goal for name, goal in GOALS.items())
    print(json.dumps({"benchmark": "migrate", "figures": figures, "goals": GOALS, "held": held}))
    return 0 if held else 1


def write_files(folder: Path) -> list[list[str]]:
    """Write the files, and return the statements of each."""
    folder.mkdir()
    files = []
    for number in range(1, FILES + 1):
        table = f"public.made_{number:04}"
        statements = [
            f"CREATE TABLE {table} (id bigint PRIMARY KEY, name text NOT NULL, made timestamptz)",
            f"CREATE INDEX made_{number:04}_by_name ON {table} (name)",
            f"COMMENT ON TABLE {table} IS 'Table {number} of the benchmark'",
        ]
        text = ";\n".join(statements) + ";\n"
        (folder / f"{number:04}_made.sql").write_text(text, encoding="utf-8")
        files.append(statements)
    return files


def compare_sessions(run: Run, folder: Path, files: list[list[str]]) -> dict[str, float]:
    """Run the files both ways by turns; return medians in seconds and their ratio."""
    ours, plain, plans = [], [], []
    for turn in range(RUNS):
        print(f"500 files, turn {turn + 1} of {RUNS}", flush=True)
        with fresh_database(run) as login:
            plain.append(seconds(lambda: plain_session(login, files)))
        with fresh_database(run) as login:
            plans.append(seconds(lambda: through_migrate(login, folder, dry_run=True)))
            ours.append(seconds(lambda: through_migrate(login, folder)))
    figures = {
        "migrate_s": statistics.median(ours),
        "plain_session_s": statistics.median(plain),
        "plan_s": statistics.median(plans),
    }
    ratio = figures["migrate_s"] / figures["plain_session_s"]
    return {name: round(value, 3) for name, value in figures.items()} | {
        "files": FILES,
        "ratio_to_plain_session": round(ratio, 3),
    }


def plain_session(login: Login, files: list[list[str]]) -> None:
    """Send the statements one after the other, and commit after each file."""
    with open_connection(login, autocommit=False) as connection:
        connection.execute("SET ROLE haven_owner")
        for statements in files:
            for statement in statements:
                connection.execute(statement.encode())
            connection.commit()


def through_migrate(login: Login, folder: Path, *, dry_run: bool = False) -> None:
    """Run the same files as migrations, or only plan them."""
    terms = Terms(login, Author("benchmark", "benchmark"), 2, 3, lambda _: None)
    result = migrate_database(terms, folder, dry_run=dry_run)
    if len(result.pending) != FILES or len(result.applied) != (0 if dry_run else FILES):
        raise SystemExit(f"{len(result.pending)} pending, {len(result.applied)} applied")


def compare_processes() -> dict[str, float]:
    """Start both processes by turns; return medians in seconds and their ratio."""
    print("schema files, then runs with nothing to do", flush=True)
    migrate(open_run(load_settings()), MigrateParameters())
    no_op = [*HAVEN, "run", "migrate", "--without-prefect", "--json"]
    imports = [sys.executable, "-c", IMPORTS]
    ours, theirs = [], []
    for _ in range(RUNS + 2):
        theirs.append(seconds(lambda: started(imports)))
        ours.append(seconds(lambda: started(no_op)))
    figures = {"no_op_s": statistics.median(ours), "imports_s": statistics.median(theirs)}
    ratio = figures["no_op_s"] / figures["imports_s"]
    return {name: round(value, 3) for name, value in figures.items()} | {
        "ratio_of_no_op_to_imports": round(ratio, 3)
    }


def started(command: list[str]) -> None:
    """Run a command to its end; a failure ends the benchmark with what it said."""
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    if done.returncode:
        raise SystemExit(f"{command[3:] or command[2:]} failed: {done.stderr}")


def seconds(work: Callable[[], None]) -> float:
    """Return how long a piece of work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
