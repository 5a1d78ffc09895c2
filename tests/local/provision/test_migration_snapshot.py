"""Before the first file a kept stack's database is copied, and the copy is what was before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.endpoints import writer_login
from flows.migrate import MigrateParameters, MigrateReport, migrate
from flows.provision import ProvisionParameters, provision
from haven.migrations.moment import Objection
from haven.migrations.snapshot import Wish
from haven.pg import session
from haven.stack import names
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

# Whatever the time of day is.
ANY_TIME = [Objection.BACKUP_WINDOW, Objection.MAINTENANCE_WINDOW]


@pytest.fixture(scope="module")
def kept(place: Callable[..., Place], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A stack that is not disposable, and a folder for migrations of the test's own."""
    made = place("kept", disposable=False, schema_dir=tmp_path_factory.mktemp("schema"))
    made.provision()
    return made


def write(place: Place, text: str) -> str:
    """Write the next file; return its name."""
    folder = Path(place.settings.schema_dir)
    name = f"{len(list(folder.glob('??_next.sql'))) + 1:02}_next.sql"
    (folder / name).write_text(text, encoding="utf-8")
    return name


def run(place: Place, **parameters: object) -> MigrateReport:
    given = {"despite": ANY_TIME} | parameters
    return migrate(place.run(), MigrateParameters.model_validate(given))


def snapshots(place: Place) -> dict[str, Any]:
    found = place.client("rds").describe_db_snapshots(DBInstanceIdentifier=place.primary)
    return {item["DBSnapshotIdentifier"]: item for item in found["DBSnapshots"]}


def test_it_shows_the_database_before_the_first_file(kept: Place) -> None:
    write(kept, "CREATE TABLE public.one (id bigint PRIMARY KEY);")
    write(kept, "CREATE TABLE public.two (id bigint PRIMARY KEY);")
    report = run(kept)
    assert report.snapshot == f"{kept.primary}-premig-0001"
    assert f"restore the snapshot {report.snapshot}" in report.restore
    tags = {tag["Key"]: tag["Value"] for tag in snapshots(kept)[report.snapshot]["TagList"]}
    assert names.tags(kept.stack, "restore-point").items() <= tags.items()
    body = kept.client("s3").get_object(
        Bucket=names.bucket(kept.stack, "evidence"), Key=report.evidence
    )["Body"]
    assert json.loads(body.read())["facts"]["snapshot"] == report.snapshot
    assert tables(kept, restored(kept, report.snapshot)) == [(None, None)]
    again = provision(kept.run(), ProvisionParameters())
    assert (again.steps, again.aws_writes) == ([], 0)


def restored(place: Place, snapshot: str) -> str:
    """Restore a snapshot; return the host of the new instance."""
    rds = place.client("rds")
    (primary,) = rds.describe_db_instances(DBInstanceIdentifier=place.primary)["DBInstances"]
    named = {"DBInstanceIdentifier": "restored"}
    rds.restore_db_instance_from_db_snapshot(
        **named,
        DBSnapshotIdentifier=snapshot,
        DBSubnetGroupName=primary["DBSubnetGroup"]["DBSubnetGroupName"],
        Tags=[{"Key": "what", "Value": "a test"}],
    )
    rds.get_waiter("db_instance_available").wait(**named, WaiterConfig={"Delay": 1})
    (item,) = rds.describe_db_instances(**named)["DBInstances"]
    return str(item["Endpoint"]["Address"])


def tables(place: Place, host: str) -> list[tuple[Any, ...]]:
    """Ask an instance for the tables of the first two files, as the migrator."""
    login = replace(writer_login(place.run(), None, "haven_migrator"), host=host)
    with session(login) as connection:
        return connection.execute(
            "SELECT to_regclass('public.one'), to_regclass('public.two')"
        ).fetchall()


def test_each_run_with_something_to_do_has_its_own(kept: Place) -> None:
    before = set(snapshots(kept))
    assert run(kept).snapshot == ""
    name = write(kept, "CREATE TABLE public.three (id bigint PRIMARY KEY);")
    number = int(name[:2])
    assert run(kept, dry_run=True).snapshot == ""
    assert run(kept, snapshot=Wish.NEVER).snapshot == ""
    folder = Path(kept.settings.schema_dir)
    down = "-- haven: accepts drop-loses-data: a test\nDROP TABLE public.three;"
    (folder / name.replace(".sql", ".down.sql")).write_text(down, encoding="utf-8")
    assert run(kept, to=number - 1).snapshot == f"{kept.primary}-preundo-{number:04}"
    assert run(kept).snapshot == f"{kept.primary}-premig-{number:04}"
    assert run(kept, to=number - 1).snapshot == f"{kept.primary}-preundo-{number:04}-2"
    assert run(kept).snapshot == f"{kept.primary}-premig-{number:04}-2"
    assert len(set(snapshots(kept)) - before) == 4


def test_a_run_that_was_cut_off_behind_it_goes_on_with_it(
    kept: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write(kept, "CREATE TABLE public.next (id bigint PRIMARY KEY);")
    before = set(snapshots(kept))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tasks.migrations._apply_all", killed)
        with pytest.raises(KeyboardInterrupt):
            run(kept)
    (made,) = set(snapshots(kept)) - before
    assert made == f"{kept.primary}-premig-{int(name[:2]):04}"
    assert run(kept).snapshot == made
    assert set(snapshots(kept)) - before == {made}
