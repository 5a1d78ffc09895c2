"""What migrate does besides applying files: baseline, repair and undo, on a provisioned stack."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.endpoints import MASTER, writer_login
from flows.frame import open_run
from flows.migrate import MigrateParameters, MigrateReport, migrate
from haven.errors import Refused
from haven.migrations.baseline import scratch_name
from haven.pg import session
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

SCHEMA = Path(__file__).parents[3] / "schema"
LEDGER = ("migrations", "catalogue", "history")
OURS = len(list(SCHEMA.glob("[0-9]*.sql")))
MORE, YET_MORE = f"{OURS + 1:02}_more.sql", f"{OURS + 2:02}_yet_more.sql"
TABLE = "CREATE TABLE public.more (id bigint PRIMARY KEY);\n"
VIEW = "CREATE VIEW public.yet_more AS SELECT id FROM public.more;\n"


def run(place: Place, **parameters: object) -> MigrateReport:
    return migrate(open_run(place.settings), MigrateParameters.model_validate(parameters))


@pytest.fixture(scope="module")
def stack(place: Callable[..., Place], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The health passport's database, and a folder with its files."""
    folder = tmp_path_factory.mktemp("turns")
    for path in SCHEMA.glob("*.sql"):
        shutil.copy(path, folder)
    made = place("turns", schema_dir=folder)
    made.provision()
    run(made)
    return made


@pytest.fixture
def somebody_elses(stack: Place) -> Iterator[Place]:
    """The same database, without a ledger, and two files further by hand."""
    folder = Path(stack.settings.schema_dir)
    texts = {MORE: TABLE, YET_MORE: VIEW}
    with session(writer_login(stack.run(), None, "haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
        for table in LEDGER:
            connection.execute(f"TRUNCATE haven_ops.{table}".encode())
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
            connection.execute(text.encode())
        yield stack
        connection.execute("DROP VIEW IF EXISTS public.yet_more")
        connection.execute("DROP TABLE IF EXISTS public.more")
        for table in LEDGER:
            connection.execute(f"TRUNCATE haven_ops.{table}".encode())
    for name in texts:
        (folder / name).unlink()
    run(stack, baseline=OURS)


def test_a_baseline_is_taken_only_where_the_files_make_what_is_there(somebody_elses: Place) -> None:
    with pytest.raises(
        Refused, match=rf"up to {OURS + 1:04} make[\s\S]*view public\.yet_more was added"
    ):
        run(somebody_elses, baseline=OURS + 1)
    assert subjects(run(somebody_elses, baseline=OURS + 2, dry_run=True))[-1] == YET_MORE
    assert len(run(somebody_elses, dry_run=True).pending) == OURS + 2
    assert len(subjects(run(somebody_elses, baseline=OURS + 2))) == OURS + 2
    assert subjects(run(somebody_elses, baseline=OURS + 2)) == []
    report = run(somebody_elses)
    assert (report.already, report.pending) == (OURS + 2, [])


def test_the_scratch_database_of_a_killed_run_is_dropped(somebody_elses: Place) -> None:
    with session(writer_login(somebody_elses.run(), None, MASTER)) as master:
        name = scratch_name(somebody_elses.stack.database.name)
        master.execute(f"CREATE DATABASE {name}".encode())
        run(somebody_elses, baseline=OURS + 2)
        there = master.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchall()
    assert there == []


def test_an_edited_file_is_refused_until_it_is_repaired_for_a_reason(
    somebody_elses: Place,
) -> None:
    run(somebody_elses, baseline=OURS + 2)
    path = Path(somebody_elses.settings.schema_dir) / MORE
    path.write_text(f"-- why it is there\n{TABLE}", encoding="utf-8")
    with pytest.raises(Refused, match=MORE):
        run(somebody_elses)
    report = run(somebody_elses, repair=MORE, reason="a comment was missing")
    assert subjects(report) == [MORE]
    assert "SHA-256" in report.steps[0].changes[0]
    assert subjects(run(somebody_elses, repair=MORE, reason="again")) == []
    assert run(somebody_elses).already == OURS + 2
    assert history(somebody_elses)[-1] == ("repaired", OURS + 1, "a comment was missing")


def test_files_are_undone_to_a_number(somebody_elses: Place) -> None:
    run(somebody_elses, baseline=OURS + 2)
    folder = Path(somebody_elses.settings.schema_dir)
    down = folder / YET_MORE.replace(".sql", ".down.sql")
    try:
        down.write_text(
            "-- haven: accepts drop-breaks: nobody reads it\nDROP VIEW public.yet_more;\n"
        )
        report = run(somebody_elses, to=OURS + 1, dry_run=True)
        assert (report.dry_run, subjects(report)) == (True, [down.name])
        assert subjects(run(somebody_elses, to=OURS + 1)) == [down.name]
        assert history(somebody_elses)[-1] == ("undone", OURS + 2, f"by {down.name}")
        assert run(somebody_elses).applied == [YET_MORE]
    finally:
        down.unlink()


def subjects(report: MigrateReport) -> list[str]:
    return [step.subject for step in report.steps]


def history(place: Place) -> list[tuple[str, int, str]]:
    with session(writer_login(place.run(), None, "haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
        return connection.execute(
            "SELECT event, number, reason FROM haven_ops.history ORDER BY id"
        ).fetchall()
