"""What RDS says of its export, read as it comes."""

import json

import pytest

from haven.export.columns import Form
from haven.export.snapshot_task import missing, skipped, task_name, told


def test_a_task_has_one_name_for_one_export_of_one_snapshot():
    name = task_name("haven-health-passport-production", "2026-W05", "arn:aws:rds:s", 1)
    assert name == task_name("haven-health-passport-production", "2026-W05", "arn:aws:rds:s", 1)
    names = {
        task_name("a" * 70, export, snapshot, attempt)
        for export in ("x", "y")
        for snapshot in ("s", "t")
        for attempt in (1, 2)
    }
    assert len(names) == 8
    assert all(len(one) <= 60 and "--" not in one for one in names | {name})


@pytest.mark.parametrize(
    ("warning", "found"),
    [
        ("", []),
        ("{}", []),
        ('{"skippedTables": [], "skippedObjectives": [], "general": []}', []),
        (
            '{"skippedTables": [{"tableName": "a.b.c", "reason": "ROW_TOO_LARGE"}]}',
            ["a.b.c: ROW_TOO_LARGE"],
        ),
        ('{"general": [{"reason": "FAILED_TO_EXTRACT"}]}', ["FAILED_TO_EXTRACT"]),
        ('{"skippedTables": ["a.b.c"]}', ["a.b.c"]),
        ("some words", ["some words"]),
        ("[1]", ["[1]"]),
    ],
)
def test_whatever_was_skipped_is_named(warning, found):
    assert skipped(warning) == found


def told_of(**changes):
    mapping = {"columnName": "id", "originalType": "bigint"}
    one = {
        "target": "d.s.t",
        "status": "COMPLETE",
        "schemaMetadata": {"originalTypeMappings": [mapping]},
    }
    return told(json.dumps({"perTableStatus": [one | changes]}).encode())


def test_keys_are_read_in_any_case():
    (one,) = told(json.dumps({"PERTABLESTATUS": [{"Target": "d.s.t", "STATUS": "X"}]}).encode())
    assert (one.target, one.status, one.columns) == ("d.s.t", "X", ())
    assert told_of()[0].columns[0].form is Form.INTEGER


@pytest.mark.parametrize(
    ("tables", "keys", "wrong"),
    [
        (told_of(), ["p/d/s.t/1/_SUCCESS"], []),
        (told_of(), ["p/d/s.t2/1/_SUCCESS"], ["d.s.t has no _SUCCESS in p/d/s.t/"]),
        ([], ["p/d/s.t/1/_SUCCESS"], ["d.s.t is not in what RDS exported"]),
        (told_of(status="FAILED"), ["p/d/s.t/1/_SUCCESS"], ["d.s.t is FAILED"]),
    ],
)
def test_every_table_has_to_be_there_to_the_end(tables, keys, wrong):
    assert missing(["d.s.t"], tables, keys, "p/") == wrong
