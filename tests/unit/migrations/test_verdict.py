"""A hazard stops the run unless its file accepts it, and nothing else is accepted by that."""

import hashlib
from pathlib import Path

import pytest

from haven.errors import InvalidRequest, Refused
from haven.migrations.files import Migration
from haven.migrations.lint.linter import judge
from haven.migrations.lint.squawk import Remark, further
from haven.migrations.lint.verdict import decide
from haven.migrations.plan import Pending
from haven.migrations.script import read_script

DROP = "-- haven: accepts drop-loses-data: nobody has used it since March\n"


def scripts(*texts):
    made = []
    for number, text in enumerate(texts, start=1):
        checksum = hashlib.sha256(text.encode()).hexdigest()
        name = f"{number:02}_file.sql"
        made.append(read_script(Pending(Migration(number, name, Path(name), text, checksum), "")))
    return made


def verdict(*texts):
    pending = scripts(*texts)
    found = [finding for item in judge([], pending) for finding in item.found]
    return [finding.hazard.name for finding in decide(pending, found)]


def test_without_hazards_nothing_is_accepted():
    assert verdict("SELECT 1;") == []


def test_an_accepted_hazard_is_returned():
    assert verdict(f"{DROP}DROP TABLE old;") == ["drop-loses-data"]


def test_one_acceptance_is_for_all_statements_of_its_file():
    assert verdict(f"{DROP}DROP TABLE old;\nDROP TABLE older;") == ["drop-loses-data"] * 2


@pytest.mark.parametrize(
    ("texts", "fragments"),
    [
        (["DROP TABLE old;"], ["01_file.sql:1: drop-loses-data: What is in old is gone"]),
        ([f"{DROP}DROP TABLE old;", "DROP TABLE b;"], ["02_file.sql:1: drop-loses-data"]),
        (
            ["CREATE INDEX i ON t (a);"],
            ["CREATE INDEX CONCURRENTLY i", "-- haven: accepts index-blocks-writes: WHY"],
        ),
        (
            ["TRUNCATE a;", "SELECT 1;", "TRUNCATE b, c;"],
            ["(1 in 01_file.sql, 2 in 03_file.sql)", "every row of b".capitalize()],
        ),
        (["CREATE ROLE r PASSWORD 'only-for-tests';"], ["Write it in another way."]),
    ],
)
def test_what_no_file_accepts_is_refused(texts, fragments):
    with pytest.raises(Refused) as caught:
        verdict(*texts)
    message = str(caught.value)
    assert [part for part in fragments if part not in message] == []
    assert "Nothing was touched." in message
    assert "only-for-tests" not in message


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (f"{DROP}SELECT 1;", "'accepts drop-loses-data' stands there, and no statement is that"),
        (f"{DROP}TRUNCATE t;", "no statement is that"),
        ("-- haven: accepts no-such: because\nTRUNCATE t;", "'accepts no-such' stands there"),
        (
            "-- haven: accepts literal-password: hurry\nCREATE ROLE r PASSWORD 'only-for-tests';",
            "literal-password cannot be accepted",
        ),
        (
            "-- haven: accepts rds-refuses: hurry\nCREATE ROLE r SUPERUSER;",
            "rds-refuses cannot be accepted",
        ),
    ],
)
def test_an_acceptance_that_nothing_needs_is_refused(text, fragment):
    with pytest.raises(InvalidRequest, match=fragment):
        verdict(text)


@pytest.mark.parametrize(
    ("rule", "line", "expected"),
    [
        ("prefer-timestamp-tz", 1, ["prefer-timestamp-tz"]),
        ("a-rule-of-tomorrow", 3, ["a-rule-of-tomorrow"]),
        ("ban-drop-table", 2, []),
        ("ban-drop-table", 1, ["ban-drop-table"]),
        ("prefer-robust-stmts", 1, []),
        ("changing-column-type", 1, []),
        ("a-rule-of-tomorrow", 5, []),
        ("a-rule-of-tomorrow", 9, []),
    ],
)
def test_of_squawks_remarks_those_count_that_are_new(rule, line, expected):
    pending = scripts("ALTER TABLE t ADD a text;\nDROP TABLE\n t;\n\nCREATE TABLE n (a bigint);")
    remark = Remark("01_file.sql", line, rule, "It says {so}", "do this")
    found = list(further([remark], judge([], pending)))
    assert [finding.hazard.name for finding in found] == expected
    assert all("It says {so}. do this." in finding.text for finding in found)
