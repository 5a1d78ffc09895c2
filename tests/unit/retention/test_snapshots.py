"""Rows of snapshots, and what becomes of each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from haven.retention.snapshots import Fate, Rules, Snapshot, Window, judge
from haven.stack.housekeeping import Housekeeping, SnapshotRules

NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)
DAYS = timedelta(days=1)
NUMBERS = SnapshotRules(newest=2, daily=1, weekly=1, monthly=3, yearly=2)
WINDOWS = {("home", "db-A"): Window(NOW - 35 * DAYS, NOW)}
RULES = Rules(NUMBERS, 35, WINDOWS, 10)
NEW = [20, 21]  # days old: these two are always of the newest


def snapshot(days, **values):
    name = f"s{days}"
    return replace(Snapshot(name, f"arn:{name}", "home", "db-A", NOW - days * DAYS), **values)


def fates(found, rules=RULES):
    return {one.snapshot.name: (one.fate, one.because) for one in judge(found, rules, NOW)}


def fate(days, *others, rules=RULES, **values):
    """Judge one snapshot among two newer ones, and others."""
    found = [*(snapshot(day) for day in NEW), *others, snapshot(days, **values)]
    return fates(found, rules)[f"s{days}"]


@pytest.mark.parametrize(
    ("days", "values", "wanted"),
    [
        (25, {}, "it is 25 days old, and no rule keeps it"),
        (25, {"good": False}, "its last verification found it not good"),
        (3000, {}, "it is 3000 days old, and 2557 are kept at most"),
        (40, {"source": "db-A", "archived": True}, "its archive is proven by loading it back"),
    ],
    ids=str,
)
def test_what_goes(days, values, wanted):
    assert fate(days, **values) == (Fate.DELETE, wanted)


@pytest.mark.parametrize(
    ("days", "values", "wanted"),
    [
        (25, {"manual": False}, "RDS made it, and removes it with its retention"),
        (25, {"ours": False}, "it does not bear the tag of this stack"),
        (25, {"hold": "court case 12"}, "it is held: court case 12"),
        (25, {"use": "an export reads it"}, "it is in use: an export reads it"),
        (25, {"status": "copying"}, "it is copying"),
        (3, {"good": False}, "it is younger than 7 days"),
        (25, {"good": True}, "it is the newest that was verified"),
        (3000, {"good": True}, "it is the newest that was verified"),
        (3000, {"source": "db-GONE"}, "it is the newest of its instance"),
        (3000, {"region": "away"}, "it is the newest of its instance"),
        (25, {"source": "db-GONE"}, "the automated backups do not reach its moment"),
        (48, {}, "it is the newest of its month"),
    ],
    ids=str,
)
def test_what_stays(days, values, wanted):
    assert fate(days, **values) == (Fate.KEEP, wanted)


def test_the_newest_of_a_year_stays_when_its_month_does_not_keep_it():
    rules = replace(RULES, snapshots=replace_rules(monthly=1))
    assert fate(170, rules=rules) == (Fate.KEEP, "it is the newest of its year")


def test_what_is_kept_for_long_is_to_be_archived():
    april = [snapshot(60), snapshot(90)]
    assert fate(400, *april, rules=replace(RULES, snapshots=replace_rules(monthly=1))) == (
        Fate.ARCHIVE,
        "it is the newest of its year, and older than 365 days",
    )


def replace_rules(**values):
    return NUMBERS.model_copy(update=values)


def test_a_time_that_the_automated_backups_do_not_have_is_kept():
    gap = replace(RULES, windows={("home", "db-A"): Window(NOW - 22 * DAYS, NOW)})
    assert fate(25, rules=gap) == (Fate.KEEP, "the automated backups do not reach its moment")
    assert fate(25, rules=replace(RULES, windows={}))[0] is Fate.KEEP


def test_the_oldest_go_first_and_no_more_than_the_limit():
    old = [snapshot(days) for days in (22, 23, 24, 25)]
    found = fates([*(snapshot(day) for day in NEW), *old], replace(RULES, limit=3))
    gone = [name for name, (what, _) in found.items() if what is Fate.DELETE]
    assert gone == ["s25", "s24", "s23"]
    assert found["s22"] == (Fate.KEEP, "left for the next run, as one deletes at most 3")


def test_a_copy_that_is_not_good_stands_for_nothing():
    found = fates([snapshot(20, good=False), snapshot(60), snapshot(61)])
    assert found["s20"][0] is Fate.DELETE
    assert found["s60"] == (Fate.KEEP, "it is the newest of its instance")


def test_where_every_copy_is_bad_the_newest_stays():
    found = fates([snapshot(20, good=False), snapshot(60, good=False)])
    assert found["s20"] == (Fate.KEEP, "it is the newest of its instance")
    assert found["s60"][0] is Fate.DELETE


@pytest.mark.parametrize(
    ("model", "values", "wanted"),
    [
        (Housekeeping, {"audit_log_days": 365}, "seven years, 2557 days"),
        (Housekeeping, {"audit_log_days": 2556}, "seven years, 2557 days"),
        (Housekeeping, {"deletions_per_run": 0}, "at least 1"),
        (Housekeeping, {"audit_months_ahead": 0}, "at least 1"),
        (SnapshotRules, {"newest": 0}, "keeps nothing"),
        (SnapshotRules, {"minimum_age_days": 0}, "keeps nothing"),
        (SnapshotRules, {"yearly": -1}, "keeps nothing"),
        (SnapshotRules, {"maximum_age_days": 7}, "must be above minimum_age_days 7"),
        (SnapshotRules, {"archive_after_days": 3}, "from minimum_age_days 7"),
        (SnapshotRules, {"archive_after_days": 2557}, "below maximum_age_days 2557"),
        (SnapshotRules, {"keep_newest": 3}, "Extra inputs"),
    ],
    ids=str,
)
def test_rules_that_contradict_are_refused_with_the_reason(model, values, wanted):
    with pytest.raises(ValidationError, match=wanted):
        model(**values)
