"""Promotions under load: acknowledged rows that are lost, and how long nobody can write.

Starts a local cloud of its own. Four writers, two through the proxy and two with the primary's own
address, insert rows one by one while a replica is promoted: planned, then in emergencies with
the replica's link cut and the primary standing still. What is lost is counted by key from both
servers, outside the flow, and held against what the flow reports. The floor is PostgreSQL's
pg_promote() on a plain pair, to the first write. The last line is JSON. With ``--planned 30
--emergencies 20`` it takes a quarter of an hour, as given below two minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ground.places import scratch
from ground.stack import MIGRATOR, provisioned
from ground.writers import KEYS, TABLE, Writer, writing
from peers.bare_promotion import pair, seconds_to_write

from flows.frame import Run, open_run
from flows.heartbeat import beat_once
from flows.migrate import MigrateParameters, migrate
from flows.promote_replica import promote_replica
from flows.promotion_models import PromoteParameters, PromoteReport
from flows.promotion_scene import Scene, look
from haven.pg import Login, open_connection
from haven.stack import names
from haven.stack.layout import RETIRED, Member
from haven.waiting import SYSTEM_CLOCK

GOAL_SWITCH_S = 1.5
GOAL_ROWS = 100_000
WARM_S, AFTER_S = 1.5, 0.7


@dataclass(slots=True)
class Tally:
    """What was seen over all rounds."""

    acknowledged: int = 0
    lost: int = 0
    switch: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    misjudged: int = 0


def main() -> int:
    """Measure; exit 0 when nothing was lost unsaid and the switch is as quick as it should be."""
    given = _arguments()
    with scratch() as folder:
        floor = statistics.median([_bare(folder / f"bare-{n}") for n in range(given.bare)])
        with provisioned(folder) as run:
            migrate(run, MigrateParameters())
            with open_connection(_login(open_run(run.settings), MIGRATOR)) as connection:
                connection.execute(TABLE)
            planned, emergency = Tally(), Tally()
            for _ in range(given.planned):
                _planned(_fresh(run), planned)
                _told("planned", planned)
            for _ in range(given.emergencies):
                _emergency(_fresh(run), emergency)
                _told("emergency", emergency)
    return _conclude(given, floor, planned, emergency)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planned", type=int, default=6)
    parser.add_argument("--emergencies", type=int, default=3)
    parser.add_argument("--bare", type=int, default=5)
    return parser.parse_args()


def _conclude(given: argparse.Namespace, floor: float, planned: Tally, emergency: Tally) -> int:
    switch = statistics.median(planned.switch)
    figures = {
        "planned": given.planned,
        "acknowledged": planned.acknowledged,
        "lost": planned.lost,
        "drain to first write, s": round(switch, 3),
        "slowest, s": round(max(planned.switch), 3),
        "closed for writers, s": round(statistics.median(planned.closed), 3),
        "bare pg_promote to first write, s": round(floor, 3),
        "ratio to bare": round(switch / floor, 1),
        "emergencies": given.emergencies,
        "lost in emergencies": emergency.lost,
        "misjudged": emergency.misjudged,
    }
    held = planned.lost == 0 and emergency.misjudged == 0 and switch <= GOAL_SWITCH_S
    goals = {"lost": 0, "misjudged": 0, "drain to first write, s": GOAL_SWITCH_S}
    print(json.dumps({"benchmark": "promote", "figures": figures, "goals": goals, "held": held}))
    return 0 if held else 1


def _told(what: str, tally: Tally) -> None:
    last = f"{tally.switch[-1]:.3f} s from drain to first write" if tally.switch else ""
    print(f"{what:10} {tally.acknowledged:8,} rows, {tally.lost} lost, {last}", flush=True)


def _bare(folder: Path) -> float:
    with pair(folder) as standby:
        seconds: float = seconds_to_write(standby)
    return seconds


def _fresh(run: Run) -> Run:
    """Open a run on the stack as it stands now, with what earlier rounds left behind removed."""
    fresh = open_run(run.settings)
    for member in fresh.sight.members:
        if member.role == RETIRED:
            rds = fresh.site.cloud.client("rds", member.region)
            rds.delete_db_instance(DBInstanceIdentifier=member.name, SkipFinalSnapshot=True)
    beat_once(run.settings)
    return open_run(run.settings)


def _login(run: Run, user: str, member: Member | None = None) -> Login:
    scene = look(run)
    return scene.login(member or _primary(scene), user, writable=user != "haven_reader")


def _primary(scene: Scene) -> Member:
    if scene.primary is None:
        raise RuntimeError("the stack has no primary")
    return scene.primary


def _logins(run: Run) -> list[Login]:
    """Return two logins through the proxy and two with the primary's own address."""
    rds = run.site.cloud.client("rds", run.loaded.stack.region)
    proxy = rds.describe_db_proxies(DBProxyName=f"{run.loaded.stack.prefix}-proxy")["DBProxies"][0]
    direct = [_login(run, user) for user in names.PROXY_ROLES]
    return [*direct, *(replace(item, host=proxy["Endpoint"], port=5432) for item in direct)]


def _planned(run: Run, tally: Tally) -> None:
    with writing(_logins(run)) as writers:
        SYSTEM_CLOCK.sleep(WARM_S)
        report = _promote(run, PromoteParameters(confirm=_best(run), candidate=_best(run)))
        SYSTEM_CLOCK.sleep(AFTER_S)
    now = open_run(run.settings)
    acknowledged = _acknowledged(writers)
    tally.acknowledged += len(acknowledged)
    tally.lost += len(acknowledged - _keys(_login(now, "haven_reader")))
    tally.switch.append(report.switch_seconds or 0.0)
    tally.closed.append(report.closed_seconds or 0.0)


def _emergency(run: Run, tally: Tally) -> None:
    scene = look(run)
    old, candidate = _primary(scene), _best(run)
    reader = scene.login(old, "haven_reader", writable=False)
    with writing(_logins(run)) as writers:
        SYSTEM_CLOCK.sleep(WARM_S)
        _disturb(run, "cut-link", candidate)
        SYSTEM_CLOCK.sleep(AFTER_S)
        with _frozen(run, old.name):
            parameters = PromoteParameters.model_validate(
                {"mode": "emergency", "candidate": candidate, "confirm": candidate}
                | {"primary_is_gone": old.name}
            )
            first = _promote(run, parameters)
    now = open_run(run.settings)
    lost = _keys(reader) - _keys(_login(now, "haven_reader"))
    counted = promote_replica(now, PromoteParameters.model_validate({"mode": "fence"}))
    tally.acknowledged += len(_acknowledged(writers))
    tally.lost += len(lost)
    tally.misjudged += _lost_keys(now, counted) != lost or not _holds(first, len(lost))


def _holds(report: PromoteReport, lost: int) -> bool:
    low, high = report.loss.rows if report.loss else (0, 0)
    return low <= lost and (high is None or lost <= high)


def _lost_keys(run: Run, report: PromoteReport) -> set[str]:
    if not report.lacking_keys:
        return set()
    bucket, _, key = report.lacking_keys.removeprefix("s3://").partition("/")
    s3 = run.site.cloud.client("s3", run.loaded.stack.region)
    body: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return {values[0] for values in body.get("haven_health.written", {}).get("lost", [])}


def _promote(run: Run, parameters: PromoteParameters) -> PromoteReport:
    return promote_replica(run, parameters)


def _best(run: Run) -> str:
    """Return the first replica in the primary's own region."""
    return names.replica(run.loaded.stack, 1)


def _acknowledged(writers: list[Writer]) -> set[str]:
    return {key for item in writers for key in item.acknowledged}


def _keys(reader: Login) -> set[str]:
    with open_connection(reader) as connection:
        return {row[0] for row in connection.execute(KEYS)}


@contextmanager
def _frozen(run: Run, instance: str) -> Iterator[None]:
    _disturb(run, "freeze", instance)
    try:
        yield
    finally:
        _disturb(run, "thaw", instance)


def _disturb(run: Run, action: str, instance: str) -> None:
    request = urllib.request.Request(  # noqa: S310  # loopback
        f"{run.settings.endpoint_url}/localcloud/disturbances",
        data=json.dumps({"action": action, "instance": instance}).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310  # loopback


if __name__ == "__main__":
    sys.exit(main())
