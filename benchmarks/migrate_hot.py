"""Changing a hot table: how long its users wait, for naive files through psql and safe ones here.

Starts a local cloud of its own. Each change runs twice on a table that pgbench reads and writes
all the time, while one session holds a lock on it for 10 s, as a report or a backup would: as one
would write it, through ``psql -f``; and as Haven's linter proposes, through ``migrate_database``.
What counts is the longest that any transaction of pgbench took. The naive form has to be refused
by the linter. The last line is JSON. Takes five minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ground.places import scratch
from ground.stack import fresh_database, provisioned

from flows.frame import Run
from haven.errors import Refused
from haven.pg import Login, open_connection
from haven.waiting import SYSTEM_CLOCK
from localcloud import binaries
from tasks.ledger import Author
from tasks.migration_work import Terms
from tasks.migrations import migrate_database

ROWS = 200_000
LOCK_TIMEOUT = 2.0
SLACK = 0.5
READER_S = 10.0
LOAD_S = 20
CLIENTS = 4
MICROSECONDS = 1e6
# pgbench's log: client, transaction, microseconds it took, …
TOOK = 2
TABLES = f"""
SET ROLE haven_owner;
CREATE TABLE places (id bigint PRIMARY KEY);
CREATE TABLE hot (id bigint PRIMARY KEY, place bigint, note text, seen_at timestamptz);
INSERT INTO places SELECT generate_series(1, 100);
INSERT INTO hot SELECT n, n % 100 + 1, 'note ' || n, now() FROM generate_series(1, {ROWS}) AS n;
ANALYZE;
"""  # noqa: S608  # a number of our own
LOAD = f"""
\\set id random(1, {ROWS})
SELECT note FROM hot WHERE id = :id;
UPDATE hot SET seen_at = now() WHERE id = :id;
"""  # noqa: S608  # likewise
OUTSIDE = "-- haven: non-transactional\n"


@dataclass(frozen=True, slots=True)
class Change:
    """One change as it comes to mind, and as files that nobody notices."""

    name: str
    naive: str
    safe: tuple[str, ...]


CHANGES = (
    Change(
        "column with default",
        "ALTER TABLE hot ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();",
        (
            (
                "ALTER TABLE hot ADD COLUMN token uuid;"
                "ALTER TABLE hot ALTER COLUMN token SET DEFAULT gen_random_uuid();"
            ),
        ),
    ),
    Change(
        "index",
        "CREATE INDEX hot_note ON hot (note);",
        (OUTSIDE + "CREATE INDEX CONCURRENTLY hot_note ON hot (note);",),
    ),
    Change(
        "foreign key",
        "ALTER TABLE hot ADD CONSTRAINT hot_place FOREIGN KEY (place) REFERENCES places (id);",
        (
            (
                "ALTER TABLE hot ADD CONSTRAINT hot_place FOREIGN KEY (place) REFERENCES places (id) "
                "NOT VALID;"
            ),
            "ALTER TABLE hot VALIDATE CONSTRAINT hot_place;",
        ),
    ),
    Change(
        "not null",
        "ALTER TABLE hot ALTER COLUMN note SET NOT NULL;",
        (
            "ALTER TABLE hot ADD CONSTRAINT note_not_null CHECK (note IS NOT NULL) NOT VALID;",
            "ALTER TABLE hot VALIDATE CONSTRAINT note_not_null;",
            (
                "ALTER TABLE hot ALTER COLUMN note SET NOT NULL;"
                "ALTER TABLE hot DROP CONSTRAINT note_not_null;"
            ),
        ),
    ),
    Change(
        "every row",
        "UPDATE hot SET note = upper(note);",
        ("-- haven: backfill 1000\nUPDATE hot SET note = upper(note);",),
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a change: the longest stalls in seconds, and whether naive is refused."""

    refused: bool
    naive_s: float
    safe_s: float


def main() -> int:
    """Measure every change both ways; exit 0 when the goals are held."""
    with scratch() as folder, provisioned(folder) as run:
        rows = {change.name: measured(run, folder, change) for change in CHANGES}
    refused = sum(row.refused for row in rows.values())
    longest = max(row.safe_s for row in rows.values())
    figures = {
        "naive_refused": refused,
        "longest_stall_safe_s": longest,
        "longest_stall_naive_s": max(row.naive_s for row in rows.values()),
        "changes": {name: asdict(row) for name, row in rows.items()},
    }
    goals = {"naive_refused": len(CHANGES), "longest_stall_safe_s": LOCK_TIMEOUT + SLACK}
    held = refused == len(CHANGES) and longest <= LOCK_TIMEOUT + SLACK
    print(
        json.dumps({"benchmark": "migrate_hot", "figures": figures, "goals": goals, "held": held})
    )
    return 0 if held else 1


def measured(run: Run, folder: Path, change: Change) -> Row:
    """Run the naive and the safe form of a change, each on tables of its own."""
    naive, safe = written(folder, change, "naive"), written(folder, change, "safe")
    with hot_table(run) as login:
        refused = is_refused(login, naive)
        naive_s = longest_stall(login, folder, lambda: through_psql(login, folder, naive))
    with hot_table(run) as login:
        safe_s = longest_stall(login, folder, lambda: through_haven(login, safe))
    print(
        f"{change.name:20} psql -f {naive_s:6.2f} s   haven {safe_s:6.2f} s   "
        f"{naive_s / safe_s:5.1f}   naive form {'refused' if refused else 'NOT REFUSED'}",
        flush=True,
    )
    return Row(refused, round(naive_s, 3), round(safe_s, 3))


def written(folder: Path, change: Change, form: str) -> Path:
    """Write the files of a change, behind one that makes the tables."""
    place = folder / f"{change.name} {form}".replace(" ", "-")
    place.mkdir()
    texts = [change.naive] if form == "naive" else change.safe
    for number, text in enumerate(texts, start=1):
        (place / f"{number:02}_change.sql").write_text(text + "\n", encoding="utf-8")
    return place


@contextmanager
def hot_table(run: Run) -> Iterator[Login]:
    """Make the tables in a database of their own."""
    with fresh_database(run) as login:
        with open_connection(login) as connection:
            connection.execute(TABLES.encode())
        yield login


def is_refused(login: Login, files: Path) -> bool:
    """Tell whether the linter refuses a folder."""
    try:
        through_haven(login, files, dry_run=True)
    except Refused:
        return True
    return False


def through_haven(login: Login, files: Path, *, dry_run: bool = False) -> None:
    """Run files as migrations."""
    terms = Terms(login, Author("benchmark", "benchmark"), LOCK_TIMEOUT, 10, lambda _: None)
    migrate_database(terms, files, dry_run=dry_run)


def through_psql(login: Login, folder: Path, files: Path) -> None:
    """Run files as one would without any tool."""
    given = [part for path in sorted(files.iterdir()) for part in ("-f", str(path))]
    program("psql", login, folder, ["-X", "-q", "-v", "ON_ERROR_STOP=1", *given]).wait()


def program(
    name: str, login: Login, folder: Path, arguments: Sequence[str]
) -> subprocess.Popen[bytes]:
    """Start a program of PostgreSQL's; it finds the password in a file."""
    secret = folder / "pgpass"
    secret.touch(mode=0o600)
    secret.write_text(f"*:*:*:*:{login.password}\n", encoding="utf-8")
    environment = {
        "PGHOST": login.host,
        "PGPORT": str(login.port),
        "PGDATABASE": login.database,
        "PGUSER": login.user,
        "PGPASSFILE": str(secret),
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(login.ca_bundle),
        "PGOPTIONS": "-c role=haven_owner",
        "PATH": os.defpath,
    }
    path = binaries.find().program(name)
    return subprocess.Popen(  # noqa: S603  # PostgreSQL's own programs
        [str(path), *arguments], env=environment, cwd=folder, stdout=subprocess.DEVNULL
    )


def longest_stall(login: Login, folder: Path, work: Callable[[], None]) -> float:
    """Return the longest transaction of pgbench in seconds while work is done behind a reader."""
    for old in folder.glob("log.*"):
        old.unlink()
    script = folder / "load.sql"
    script.write_text(LOAD, encoding="utf-8")
    load = program(
        "pgbench",
        login,
        folder,
        ["-n", "-c", str(CLIENTS), "-T", str(LOAD_S), "-l", "--log-prefix=log", "-f", str(script)],
    )
    SYSTEM_CLOCK.sleep(1)
    with reader(login):
        work()
    if load.wait():
        raise SystemExit("pgbench failed")
    lines = [line for log in folder.glob("log.*") for line in log.read_text().splitlines()]
    return max(int(line.split()[TOOK]) for line in lines) / MICROSECONDS


@contextmanager
def reader(login: Login) -> Iterator[None]:
    """Hold the lock of a reader for a while, in a session of its own."""
    begun = threading.Event()

    def hold() -> None:
        with open_connection(login, autocommit=False) as connection:
            connection.execute("SET ROLE haven_owner")
            connection.execute("SELECT count(*) FROM hot WHERE id < 10")
            begun.set()
            SYSTEM_CLOCK.sleep(READER_S)

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
