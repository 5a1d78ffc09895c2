"""A backfill is cut at its WHERE, and whatever cannot be cut into batches is refused."""

from pathlib import Path

import pytest

from haven.errors import InvalidRequest, Refused
from haven.migrations.backfill import check_key, check_seen, read_backfill
from haven.migrations.files import Migration
from haven.migrations.plan import RUNNING, Entry, Pending, plan_migrations
from haven.migrations.script import read_script

HEAD = "-- haven: backfill 1000\n"


def migration(text):
    return Migration(1, "01_a.sql", Path("01_a.sql"), HEAD + text, "c1")


def backfill(text):
    return read_backfill(read_script(Pending(migration(text), "l")))


@pytest.mark.parametrize(
    ("text", "head", "condition"),
    [
        ("UPDATE t SET n = 1", "UPDATE t SET n = 1", None),
        ("UPDATE t SET n = 1 WHERE n IS NULL;", "UPDATE t SET n = 1 ", " n IS NULL"),
        ("UPDATE t SET n = 1 where a OR b", "UPDATE t SET n = 1 ", " a OR b"),
        ("UPDATE t SET n = 1 WHERE a AND b -- why", "UPDATE t SET n = 1 ", " a AND b -- why"),
        (
            "UPDATE t SET n = (SELECT 1 FROM u WHERE u.a) WHERE b",
            "UPDATE t SET n = (SELECT 1 FROM u WHERE u.a) ",
            " b",
        ),
        (
            "UPDATE t SET n = 'é WHERE (' /* WHERE */ WHERE n = 'ß'",
            "UPDATE t SET n = 'é WHERE (' /* WHERE */ ",
            " n = 'ß'",
        ),
        (
            'UPDATE t SET "WHERE" = count(*) FILTER (WHERE a) WHERE (a, b) IN (SELECT 1, 2)',
            'UPDATE t SET "WHERE" = count(*) FILTER (WHERE a) ',
            " (a, b) IN (SELECT 1, 2)",
        ),
        (
            "UPDATE t SET n = u.n FROM u WHERE t.id = u.id",
            "UPDATE t SET n = u.n FROM u ",
            " t.id = u.id",
        ),
    ],
)
def test_it_is_cut_at_its_where(text, head, condition):
    found = backfill(text)
    assert (found.head, found.condition) == (head, condition)


@pytest.mark.parametrize(
    ("text", "table", "name", "relations"),
    [
        ("UPDATE t SET n = 1", ("", "t"), "t", [("", "t")]),
        ('UPDATE s."T" SET n = 1', ("s", "T"), "T", [("s", "T")]),
        ("UPDATE s.t AS x SET n = u.n FROM u", ("s", "t"), "x", [("s", "t"), ("", "u")]),
        ("UPDATE t SET n = t.n + (SELECT max(m) FROM t AS o)", ("", "t"), "t", [("", "t")]),
    ],
)
def test_it_knows_its_table_and_all_that_it_names(text, table, name, relations):
    found = backfill(text)
    assert (found.table, found.name, list(found.relations)) == (table, name, relations)


def test_what_it_verifies_is_named_too():
    found = backfill("-- haven: verify SELECT count(*) = 0 FROM s.v\nUPDATE t SET n = 1, m = 2")
    assert found.relations == (("", "t"), ("s", "v"))
    assert found.assigned == {"n", "m"}


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("SELECT 1", "is one UPDATE, and nothing else"),
        ("UPDATE t SET n = 1; SELECT 1", "is one UPDATE, and nothing else"),
        ("DELETE FROM t", "is one UPDATE, and nothing else"),
        ("WITH w AS (SELECT 1) UPDATE t SET n = 1", "cannot have WITH"),
        ("UPDATE t SET n = 1 RETURNING n", "cannot have RETURNING"),
        ("UPDATE t SET n = 1 WHERE CURRENT OF c", "cannot have a cursor"),
        ("UPDATE ONLY t SET n = 1", "cannot have ONLY"),
        ("UPDATE t SET n = (SELECT max(n) FROM s.t)", "cannot read n of rows"),
        ("UPDATE t SET n = (SELECT max(t.n) FROM t)", "cannot read n of rows"),
        ("UPDATE t SET n = o.n FROM t AS o WHERE o.id = t.id + 1", "cannot read n of rows"),
        ("UPDATE t SET n = 1 FROM (SELECT * FROM t) AS o", "cannot read * of rows"),
    ],
)
def test_what_is_no_backfill_is_refused(text, fragment):
    with pytest.raises(InvalidRequest) as caught:
        backfill(text)
    assert f"01_a.sql:2: a backfill {fragment}" in str(caught.value)


@pytest.mark.parametrize("value", ["", "0", "1e3", "100000", "-5", "all"])
def test_a_batch_is_a_number_of_rows(value):
    text = f"-- haven: backfill {value}\nUPDATE t SET n = 1"
    with pytest.raises(InvalidRequest, match="is no number of rows"):
        read_script(Pending(Migration(1, "01_a.sql", Path("a"), text, "c"), "l"))


@pytest.mark.parametrize(
    ("relkind", "parent", "key", "fragment"),
    [
        ("v", False, (), "t is no table of its own"),
        ("", False, (), "t is no table of its own"),
        ("r", True, ("id",), "others inherit from it"),
        ("r", False, (), "t has no primary key"),
        ("r", False, ("id", "n"), "it changes n of the primary key"),
    ],
)
def test_a_table_without_a_steady_key_is_refused(relkind, parent, key, fragment):
    with pytest.raises(Refused) as caught:
        check_key("01_a.sql:2", backfill("UPDATE t SET n = 1"), relkind, parent=parent, key=key)
    assert fragment in str(caught.value)
    assert "Nothing was touched." in str(caught.value)


@pytest.mark.parametrize(("relkind", "parent"), [("r", False), ("p", True)])
def test_a_table_with_one_is_taken(relkind, parent):
    check_key("p", backfill("UPDATE t SET n = 1"), relkind, parent=parent, key=("id",))


def test_rows_that_may_be_hidden_are_refused_with_the_policy_to_paste():
    check_seen("01_a.sql:2", [])
    with pytest.raises(Refused) as caught:
        check_seen("01_a.sql:2", [("s.t", True), ("s.v", False)])
    text = str(caught.value)
    assert "CREATE POLICY backfill ON s.t TO haven_owner USING (true);" in text
    assert "ON s.v" not in text


def test_an_edited_file_is_refused_once_a_batch_is_done():
    begun = Entry(1, "01_a.sql", "other", "l", RUNNING)
    assert len(plan_migrations([migration("UPDATE t SET n = 1")], [begun]).pending) == 1
    filled = Entry(1, "01_a.sql", "other", "l", RUNNING, last_key='["7"]')
    with pytest.raises(Refused, match="edited while its rows are being filled"):
        plan_migrations([migration("UPDATE t SET n = 1")], [filled])
