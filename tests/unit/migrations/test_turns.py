"""Repair, baseline, and which parameters go together."""

from pathlib import Path

import pytest

from flows.migrate import MigrateParameters
from haven.cli.operations import parameters_of
from haven.errors import HavenError, InvalidRequest, Refused
from haven.migrations.baseline import check_same, plan_baseline, scratch_name
from haven.migrations.catalogue import Change
from haven.migrations.files import Migration
from haven.migrations.order import chained
from haven.migrations.plan import RUNNING, Entry, plan_migrations
from haven.migrations.repair import plan_repair

LINKS = chained(["c1", "c2", "c3"])
NEW = chained(["c1", "new", "c3"])


def file(number, checksum=""):
    name = f"{number:02}_t.sql"
    return Migration(number, name, Path(name), "SELECT 1;", checksum or f"c{number}")


def row(number, **values):
    known = {"checksum": f"c{number}", "chained": LINKS[number - 1]}
    return Entry(number, f"{number:02}_t.sql", **{**known, **values})


FILES = [file(1), file(2), file(3)]
EDITED = [file(1), file(2, "new"), file(3)]
ALL = [row(1), row(2), row(3)]


def test_a_repaired_ledger_takes_the_file_as_it_is():
    repair = plan_repair(EDITED, ALL, "02_t.sql")
    assert repair is not None
    assert (repair.entry.number, repair.checksum) == (2, "new")
    assert repair.links == ((2, NEW[1]), (3, NEW[2]))
    assert repair.text == "repair 02_t.sql: SHA-256 c2… -> new…"
    after = [ALL[0], row(2, checksum="new", chained=NEW[1]), row(3, chained=NEW[2])]
    assert plan_migrations(EDITED, after).already == 3
    assert plan_repair(EDITED, after, "02_t.sql") is None


@pytest.mark.parametrize(
    ("ledger", "name", "fragment"),
    [
        (ALL, "02", "holds no file '02'"),
        (ALL[:1], "02_t.sql", "02_t.sql: it is not applied"),
        ([ALL[0], row(2, state=RUNNING)], "02_t.sql", "02_t.sql: it is not applied"),
        ([ALL[0], row(2, chained="x"), ALL[2]], "02_t.sql", "changed by hand"),
    ],
)
def test_what_cannot_be_repaired_is_refused(ledger, name, fragment):
    with pytest.raises(HavenError) as caught:
        plan_repair(EDITED, ledger, name)
    assert fragment in str(caught.value)
    assert "Nothing was touched." in str(caught.value)


@pytest.mark.parametrize(
    ("ledger", "number", "expected"), [([], 2, [1, 2]), ([], 3, [1, 2, 3]), (ALL[:2], 2, [])]
)
def test_a_baseline_is_the_files_up_to_a_number(ledger, number, expected):
    plan = plan_baseline(FILES, ledger, number)
    assert [item.migration.number for item in plan] == expected


@pytest.mark.parametrize(
    ("ledger", "number", "sort", "fragment"),
    [
        (
            [],
            4,
            InvalidRequest,
            "No file has the number 4. Nothing was touched. The newest one is 3",
        ),
        (ALL[:2], 3, Refused, "has rows already, up to 02_t.sql"),
        (ALL[:2], 1, Refused, "has rows already"),
    ],
)
def test_a_baseline_that_cannot_be_is_refused(ledger, number, sort, fragment):
    with pytest.raises(sort) as caught:
        plan_baseline(FILES, ledger, number)
    assert fragment in str(caught.value)


def test_a_database_that_differs_is_refused_with_the_objects():
    check_same(2, ())
    with pytest.raises(Refused, match=r"up to 0002 make[\s\S]*table public\.t was removed"):
        check_same(2, [Change("removed", "table", "public.t")])


def test_the_scratch_database_is_always_the_same_and_fits():
    names = {scratch_name("haven"), scratch_name("haven"), scratch_name("x" * 63)}
    assert len(names) == 2
    assert all(name.startswith("haven_scratch_") and len(name) <= 63 for name in names)


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["to=0"],
        ["to=0003"],
        ["to=3", "accept_drift=drift-0123456789ab"],
        ["baseline=0007"],
        ["rehearse=true"],
        ["repair=0007_a.sql", "reason=a comment was wrong"],
    ],
)
def test_parameters_that_go_together(given):
    assert isinstance(parameters_of(MigrateParameters, given), MigrateParameters)


@pytest.mark.parametrize(
    ("given", "fragment"),
    [
        (["to=3", "baseline=3"], "are for a run each"),
        (["repair=a.sql"], "repair and reason go together"),
        (["repair=a.sql", "reason= "], "repair and reason go together"),
        (["reason=why"], "repair and reason go together"),
        (["to=-1"], "to: "),
        (["baseline=0"], "baseline: "),
        (["rehearse=true", "dry_run=true"], "give rehearse alone"),
        (["rehearse=true", "to=3"], "give rehearse alone"),
        (["accept_drift=yes"], "accept_drift: "),
        (["accept_drift=drift-0123456789ab", "baseline=1"], "applying and undoing only"),
    ],
)
def test_parameters_that_do_not(given, fragment):
    with pytest.raises(InvalidRequest) as caught:
        parameters_of(MigrateParameters, given)
    assert fragment in str(caught.value)
