from pathlib import Path

import pytest

from haven.errors import Refused
from haven.migrations.files import Migration
from haven.migrations.order import chained
from haven.migrations.plan import FAILED, RUNNING, Entry, plan_migrations

LINKS = chained(["c1", "c2", "c3"])


def file(number, *, checksum=None, name=None):
    name = name or f"{number:02}_title.sql"
    return Migration(number, name, Path(name), "SELECT 1;", checksum or f"c{number}")


def row(number, **values):
    known = {"name": f"{number:02}_title.sql", "checksum": f"c{number}"}
    return Entry(number, **{**known, "chained": LINKS[number - 1], **values})


@pytest.mark.parametrize(
    ("numbers", "ledger", "pending"),
    [
        ([1, 2], [row(1), row(2)], []),
        ([1, 2, 3], [row(1)], [2, 3]),
        ([1, 2], [], [1, 2]),
        ([1, 2], [row(1), row(2, state=RUNNING)], [2]),
        ([1, 2, 3], [row(1), row(2, state=FAILED, checksum="older")], [2, 3]),
    ],
)
def test_pending_is_what_is_not_done(numbers, ledger, pending):
    plan = plan_migrations([file(number) for number in numbers], ledger)
    assert [item.migration.number for item in plan.pending] == pending
    assert plan.already == len(numbers) - len(pending)
    assert [item.chained for item in plan.pending] == [LINKS[number - 1] for number in pending]


@pytest.mark.parametrize(
    ("files", "ledger", "fragment"),
    [
        ([file(1, checksum="x")], [row(1)], "01_title.sql: it was edited after it was applied"),
        ([file(1)], [row(1), row(2)], "02_title.sql: it was applied to this database, and the"),
        ([file(1, name="01_new.sql")], [row(1)], "was applied under the name 01_title.sql"),
        ([file(1), file(2), file(3)], [row(1), row(3)], "02_title.sql: it is older than 03_t"),
        ([file(1)], [row(1, chained="x")], "the ledger was changed by hand"),
        ([file(1, name="01_n.sql")], [row(1, state=RUNNING)], "was applied under the name"),
    ],
)
def test_files_that_contradict_the_ledger_are_refused(files, ledger, fragment):
    with pytest.raises(Refused, match=r"Nothing was touched\.") as caught:
        plan_migrations(files, ledger)
    assert fragment in str(caught.value)


def test_the_chain_depends_on_content_and_order():
    assert chained([]) == []
    assert chained(["a", "b"])[0] == chained(["a"])[0]
    assert chained(["a", "b"])[-1] != chained(["b", "a"])[-1]
