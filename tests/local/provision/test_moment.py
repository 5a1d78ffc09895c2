"""A migration waits for its moment: its replicas follow, and nobody is at work on the instance."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows import migration_moment
from flows.endpoints import writer_login
from flows.frame import open_run
from flows.migrate import MigrateParameters, MigrateReport, migrate
from haven.errors import Unavailable
from haven.migrations.moment import Objection
from haven.pg import session
from haven.stack import names
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def moment(place: Callable[..., Place], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A stack with one replica, and a folder for migrations of the test's own."""
    made = place("moment", schema_dir=tmp_path_factory.mktemp("schema"))
    made.provision()
    return made


def write(place: Place, text: str) -> str:
    """Write the next file; return its name."""
    folder = Path(place.settings.schema_dir)
    name = f"{len(list(folder.iterdir())) + 1:02}_next.sql"
    (folder / name).write_text(text, encoding="utf-8")
    return name


def run(place: Place, **parameters: object) -> MigrateReport:
    return migrate(open_run(place.settings), MigrateParameters.model_validate(parameters))


@contextmanager
def standing_replica(place: Place) -> Iterator[str]:
    """Let a replica replay nothing meanwhile."""
    replica = names.replica(place.stack, 1)
    disturb(place, "pause-replay", replica)
    try:
        yield replica
    finally:
        disturb(place, "resume-replay", replica)


def disturb(place: Place, action: str, instance: str) -> None:
    request = urllib.request.Request(  # noqa: S310  # our own server
        f"{place.settings.endpoint_url}/localcloud/disturbances",
        method="POST",
        data=json.dumps({"action": action, "instance": instance, "region": "us-east-1"}).encode(),
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310  # likewise
        pass


def test_replicas_have_it_when_the_run_ends(moment: Place) -> None:
    name = write(moment, "CREATE TABLE public.one (id bigint PRIMARY KEY);")
    report = run(moment)
    assert (report.applied, report.warnings) == ([name], [])


def test_a_replica_that_is_behind_stands_against_it(
    moment: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_moment, "BEFORE_S", 0.5)
    monkeypatch.setattr(migration_moment, "AFTER_S", 0.5)
    name = write(moment, "CREATE TABLE public.two (id bigint PRIMARY KEY);")
    with standing_replica(moment) as replica:
        write_something(moment)
        with pytest.raises(
            Unavailable, match=f"{replica} has not replayed .* \\(replica-behind\\)"
        ):
            run(moment)
        report = run(moment, despite=[Objection.REPLICA_BEHIND])
    assert report.applied == [name]
    (warning,) = report.warnings
    assert warning.startswith(f"the replica {replica} has not replayed")


def write_something(place: Place) -> None:
    """Put something into the primary's log that a replica would have to replay."""
    with session(writer_login(place.run(), None, "haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute("CREATE TABLE public.passing (id bigint)")
        connection.execute("DROP TABLE public.passing")


def test_a_replica_that_was_killed_is_asked_again_until_it_is_back(moment: Place) -> None:
    name = write(moment, "CREATE TABLE public.three (id bigint PRIMARY KEY);")
    disturb(moment, "kill", names.replica(moment.stack, 1))
    report = run(moment)
    assert (report.applied, report.warnings) == ([name], [])


def test_a_backfill_stops_for_a_replica_that_does_not_follow_and_goes_on(
    moment: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_moment, "PACE_S", 0.0)
    monkeypatch.setattr(migration_moment, "CATCH_UP_S", 0.5)
    write(
        moment,
        "CREATE TABLE public.rows (id bigint PRIMARY KEY, n int NOT NULL);"
        "INSERT INTO public.rows SELECT g, 0 FROM generate_series(1, 50) AS g;",
    )
    run(moment)
    name = write(moment, "-- haven: backfill 10\nUPDATE public.rows SET n = n + 1;")
    with pytest.raises(Unavailable, match=r"does not follow it: .*-replica-1 has not replayed"):
        run_as_replay_stops(moment, monkeypatch)
    assert filled(moment) == 10
    report = run(moment)
    assert (report.applied, report.warnings) == ([name], [])
    assert filled(moment) == 50


def run_as_replay_stops(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrate, and let the replica replay nothing once it was seen to follow."""
    with ExitStack() as stack, monkeypatch.context() as patched:

        def check_then_stop(*args: Any) -> None:
            migration_moment.check_now(*args)
            stack.enter_context(standing_replica(place))

        patched.setattr("flows.migrate.check_now", check_then_stop)
        run(place)


def filled(place: Place) -> int:
    """Count the rows of the backfill that were written, each once."""
    with session(writer_login(place.run(), None, "haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
        query = (
            "SELECT count(*) FILTER (WHERE n = 1), count(*) FILTER (WHERE n > 1) FROM public.rows"
        )
        ((once, more),) = connection.execute(query).fetchall()
    assert more == 0
    return int(once)
