"""Rows of what may be left over, of bills, and of what one run may do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flows.chores import Chore, Finds, step
from flows.housekeeping import _within
from haven.plan import Verb
from haven.retention.cost import GIB, Sort, bill, total
from haven.retention.orphans import Group, KeptBackup, why_keep_backup, why_keep_group
from haven.stack.housekeeping import Prices
from haven.stack.model import Stack

STACK = Stack(environment="tests", account="123456789012")
TAGS = {"haven:stack": STACK.prefix}
NOW = datetime(2026, 6, 1, tzinfo=UTC)
BACKUP = KeptBackup(
    "arn:b", "primary", "db-GONE", "us-west-2", "us-east-1", NOW - timedelta(days=36), TAGS
)
GROUP = Group("left-over", "us-east-1", "arn:g", TAGS)


def test_backups_of_an_instance_that_is_gone_go_once_they_are_out_of_the_window():
    assert why_keep_backup(STACK, BACKUP, frozenset({"db-OTHER"}), NOW) == ""
    assert why_keep_backup(STACK, replace(BACKUP, latest=None), frozenset(), NOW) == ""


@pytest.mark.parametrize(
    ("values", "alive", "wanted"),
    [
        ({}, None, "us-east-1 did not answer"),
        ({}, {"db-GONE"}, "its instance is there"),
        ({"tags": {}}, set(), "does not bear the tag"),
        ({"tags": {"haven:stack": "another"}}, set(), "does not bear the tag"),
        ({"latest": NOW - timedelta(days=35)}, set(), "reaches into the last 35 days"),
        ({"latest": NOW}, set(), "reaches into the last 35 days"),
    ],
    ids=str,
)
def test_backups_stay_while_anything_speaks_for_them(values, alive, wanted):
    found = why_keep_backup(STACK, replace(BACKUP, **values), alive, NOW)
    assert wanted in found


@pytest.mark.parametrize(
    ("values", "wanted", "reason"),
    [
        ({}, [], ""),
        ({"users": ("primary",)}, [], "primary use it"),
        ({}, ["left-over"], "the stack file wants it"),
        ({"tags": {}}, [], "it does not bear the tag of this stack"),
    ],
    ids=str,
)
def test_a_group_goes_when_nothing_wants_it(values, wanted, reason):
    assert why_keep_group(STACK, replace(GROUP, **values), wanted) == reason


def test_a_bill_prices_what_there_is():
    lines = bill({Sort.SNAPSHOTS: 100 * GIB, Sort.GLACIER: 10 * GIB, Sort.LOGS: 0}, Prices())
    assert [line.text for line in lines] == [
        "manual snapshots: 100.000 GiB, 9.50 USD a month",
        "S3 Glacier Flexible Retrieval: 10.000 GiB, 0.04 USD a month",
    ]
    assert total(lines) == pytest.approx(9.536)


def test_only_resources_count_against_the_limit_and_the_rest_is_told():
    finds = Finds(
        chores=[
            Chore(step(Verb.DELETE, f"a/{number}", "old"), lambda: None, counted=counted)
            for number, counted in enumerate([True, False, True, True, False])
        ]
    )
    assert [one.step.subject for one in _within(finds, 2)] == ["a/0", "a/1", "a/2", "a/4"]
    assert finds.kept == {"a/3": "left for the next run, as one deletes at most 2"}
