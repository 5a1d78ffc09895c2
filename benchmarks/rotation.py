"""Rotating the application's credential under load: logins and queries that fail, and what it costs.

Starts a local cloud of its own. Eight applications, half through the proxy and half direct, half
with a connection for each query and half with one they keep, read their credentials as AWS's
caching client does, with a cache time of 2 s. They work through 20 rotations by Haven, each as
soon as the cache rule allows; then through as many of a single role in place, which is what AWS's
rotation function for one user does. The last line is JSON. Takes five minutes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from ground.applications import STYLES, Application, CachedSecrets, Content, Style, at_work
from ground.places import PROJECT, scratch
from ground.stack import provisioned
from peers import single_user_rotation

from flows.frame import Run, open_run
from flows.migrate import MigrateParameters, migrate
from flows.rotate_credentials import Mode, RotateParameters, rotate_credentials
from haven.pg import BoundedConnection
from haven.stack import names
from haven.waiting import SYSTEM_CLOCK

ROTATIONS = 20
CACHE_S = 2.0
QUERIES = 10_000
# How long the peer waits between two rotations: so that all clients have read the last one.
REST_S = 3.0
# What the peer asks for: it is written to ask for exactly that.
REQUESTS_IN_PLACE, STATEMENTS_IN_PLACE = 5, 2
SECRETS = f"\n[secrets]\ncache_seconds = {CACHE_S:.0f}\ngrace_seconds = 0\n"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one rotation cost, waiting for caches left out."""

    seconds: float
    requests: int
    statements: int


COSTS = tuple(item.name for item in fields(Cost))


@dataclass(frozen=True, slots=True)
class Way:
    """One way of rotating, and how applications find their credentials by it."""

    name: str
    look_up: Callable[[CachedSecrets, Style], Content]
    rotate: Callable[[], Cost]


@dataclass(frozen=True, slots=True)
class Row:
    """Whom one way of rotating failed, and the median cost of a rotation."""

    queries: int
    failures: int
    seconds: float
    requests: float
    statements: float


def main() -> int:
    """Measure both ways; exit 0 when no application noticed Haven's."""
    with scratch() as folder, provisioned(folder, stack(folder)) as run:
        migrate(run, MigrateParameters())
        rows = {way.name: measured(run, way) for way in (alternating(run), in_place(run))}
    haven = rows["alternating"]
    held = haven.failures == 0 and haven.queries >= QUERIES
    figures = {name: asdict(row) for name, row in rows.items()}
    goals = {"failures": 0, "queries": QUERIES}
    print(json.dumps({"benchmark": "rotation", "figures": figures, "goals": goals, "held": held}))
    return 0 if held else 1


def stack(folder: Path) -> str:
    """Write the stack 'local' with a short cache time; return its path."""
    local = PROJECT / "deployments" / "stacks" / "local.toml"
    path = folder / "local.toml"
    path.write_text(local.read_text(encoding="utf-8") + SECRETS, encoding="utf-8")
    return str(path)


def measured(run: Run, way: Way) -> Row:
    """Rotate under load."""
    client = run.site.cloud.client("secretsmanager", run.loaded.stack.region)
    applications = [
        Application(style, partial(way.look_up, CachedSecrets(client, CACHE_S)), ca_bundle(run))
        for style in STYLES
    ]
    with at_work(applications):
        SYSTEM_CLOCK.sleep(CACHE_S)
        costs = [way.rotate() for _ in range(ROTATIONS)]
        SYSTEM_CLOCK.sleep(2 * CACHE_S)
    failures = Counter(text for item in applications for text in item.told.failures)
    row = Row(
        sum(item.told.queries for item in applications),
        failures.total(),
        *(statistics.median(getattr(cost, name) for cost in costs) for name in COSTS),
    )
    print(
        f"{way.name:12} {row.queries:7,} queries  {row.failures:5} failed  {row.seconds:6.2f} s, "
        f"{row.requests:3.0f} AWS requests and {row.statements:3.0f} statements per rotation",
        flush=True,
    )
    for text, count in failures.most_common(3):
        print(f"    {count:5} {text}", flush=True)
    return row


def ca_bundle(run: Run) -> Path:
    """Return what certificates are verified with."""
    return run.site.cloud.ca_bundle


def alternating(run: Run) -> Way:
    """Rotate as Haven does; applications follow the pointer."""
    pointer = names.pointer(run.loaded.stack)

    def look_up(secrets: CachedSecrets, style: Style) -> Content:
        pointed = secrets.read(pointer)
        content = secrets.read(pointed["secret"])
        return {**content, "host": pointed["host"]} if style.proxy else content

    def rotate() -> Cost:
        fresh = open_run(run.settings)
        parameters = RotateParameters(mode=Mode.NOW, only=["application"], wait=60)
        with counted_statements() as statements:
            report = rotate_credentials(fresh, parameters)
        seconds = sum(item.seconds for item in report.rotations)
        return Cost(seconds, report.aws_reads + report.aws_writes, len(statements))

    return Way("alternating", look_up, rotate)


def in_place(run: Run) -> Way:
    """Rotate one role in place; applications read its secret."""
    loaded = run.loaded.stack
    client = run.site.cloud.client("secretsmanager", loaded.region)
    pointed = json.loads(client.get_secret_value(SecretId=names.pointer(loaded))["SecretString"])
    secret, master = pointed["secret"], names.secret(loaded, "master")

    def look_up(secrets: CachedSecrets, style: Style) -> Content:
        content = secrets.read(secret)
        return {**content, "host": pointed["host"]} if style.proxy else content

    def rotate() -> Cost:
        SYSTEM_CLOCK.sleep(REST_S)
        begin = time.monotonic()
        single_user_rotation.rotate(client, secret, master, ca_bundle(run))
        return Cost(time.monotonic() - begin, REQUESTS_IN_PLACE, STATEMENTS_IN_PLACE)

    return Way("in place", look_up, rotate)


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Count the statements of Haven's connections during a block."""
    sent: list[str] = []
    execute = BoundedConnection.execute

    def counting(self: Any, *args: Any, **named: Any) -> Any:
        sent.append("statement")
        return execute(self, *args, **named)

    BoundedConnection.execute = counting  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        BoundedConnection.execute = execute  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
