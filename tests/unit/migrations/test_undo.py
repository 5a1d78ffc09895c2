import hashlib
from pathlib import Path

import pytest

from haven.errors import HavenError, InvalidRequest, Refused
from haven.migrations.files import Migration, read_down, read_folder
from haven.migrations.lint.undoing import deletions
from haven.migrations.order import chained
from haven.migrations.plan import FAILED, RUNNING, Entry, Pending
from haven.migrations.script import read_script
from haven.migrations.undo import plan_undo, read_down_script

LINKS = chained(["c1", "c2", "c3"])


def file(number, *, text="SELECT 1;", down=False):
    name = f"{number:02}_t{'.down' if down else ''}.sql"
    return Migration(number, name, Path(name), text, f"c{number}")


def row(number, **values):
    return Entry(number, f"{number:02}_t.sql", f"c{number}", LINKS[number - 1], **values)


FILES = [file(number) for number in (1, 2, 3)]
ALL = [row(number) for number in (1, 2, 3)]
DOWNS = {number: file(number, down=True) for number in (1, 2, 3)}


@pytest.mark.parametrize(
    ("ledger", "to", "numbers"),
    [
        (ALL, 3, []),
        (ALL, 2, [3]),
        (ALL, 0, [3, 2, 1]),
        (ALL[:1], 0, [1]),
        (ALL[:1], 1, []),
        ([], 0, []),
    ],
)
def test_what_is_above_is_undone_newest_first(ledger, to, numbers):
    plan = plan_undo(FILES, ledger, DOWNS, to)
    assert [item.migration.number for item in plan] == numbers
    assert all(item.migration.name.endswith(".down.sql") for item in plan)


@pytest.mark.parametrize(
    ("files", "ledger", "downs", "to", "fragment"),
    [
        (FILES, ALL[:1], DOWNS, 2, "The database is at number 1, so there is nothing above 2"),
        (FILES, [], DOWNS, 1, "The database is at number 0"),
        (FILES, ALL, {}, 1, "is missing: 03_t.down.sql, 02_t.down.sql"),
        (FILES, ALL, {3: DOWNS[3]}, 0, "is missing: 02_t.down.sql, 01_t.down.sql"),
        (FILES, [*ALL[:2], row(3, state=RUNNING, statements_done=2)], DOWNS, 1, "2 of its statem"),
        (FILES, [*ALL[:2], row(3, state=FAILED)], DOWNS, 0, "03_t.sql: 0 of its statements"),
        (FILES[:2], ALL, DOWNS, 2, "the file is missing"),
    ],
)
def test_what_cannot_be_undone_is_refused_before_anything_runs(files, ledger, downs, to, fragment):
    with pytest.raises(Refused, match=r"Nothing was touched\.") as caught:
        plan_undo(files, ledger, downs, to)
    assert fragment in str(caught.value)


def test_a_down_file_stands_beside_its_file(tmp_path):
    (tmp_path / "01_a.sql").write_text("SELECT 1;")
    (tmp_path / "02_b.sql").write_text("SELECT 2;")
    (tmp_path / "02_b.down.sql").write_text("SELECT 3;")
    one, two = read_folder(tmp_path)
    assert read_down(one) is None
    down = read_down(two)
    assert down is not None
    assert (down.number, down.name, down.text) == (2, "02_b.down.sql", "SELECT 3;")
    assert down.checksum == hashlib.sha256(b"SELECT 3;").hexdigest()
    (tmp_path / "01_a.down.sql").symlink_to("02_b.down.sql")
    with pytest.raises(InvalidRequest, match=r"01_a\.down\.sql: it is a symbolic link"):
        read_down(one)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("-- haven: non-transactional\nVACUUM t;", "a file is undone whole or not at all"),
        ("VACUUM t;", "cannot run inside a transaction"),
        ("COMMIT;", "begins or ends"),
        ("-- nothing", "holds no statement"),
    ],
)
def test_a_down_file_that_cannot_run_whole_is_refused(text, fragment):
    with pytest.raises(HavenError) as caught:
        read_down_script(Pending(file(2, text=text, down=True), ""))
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("DELETE FROM a.t WHERE x;", ["a.t"]),
        ("DELETE FROM t USING u WHERE t.id = u.id;", ["t"]),
        ("WITH gone AS (DELETE FROM t WHERE x RETURNING *) SELECT * FROM gone;", ["t"]),
        ("INSERT INTO u WITH g AS (DELETE FROM t WHERE x RETURNING *) SELECT * FROM g;", ["t"]),
        ("SELECT 1; UPDATE t SET x = 1 WHERE y;", []),
    ],
)
def test_rows_that_a_down_file_deletes_are_found(text, tables):
    found = list(deletions(read_script(Pending(file(2, text=text, down=True), ""))))
    assert [item.subject for item in found] == tables
    assert {item.hazard.name for item in found} <= {"undo-deletes"}
