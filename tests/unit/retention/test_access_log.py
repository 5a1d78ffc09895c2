"""Rows of partitions, and what is due for each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from haven.retention.access_log import (
    Act,
    Log,
    Month,
    Partition,
    due,
    month_at,
    month_of,
    troubles,
    waiting,
)
from haven.retention.proof import Proof, why_not_drop
from haven.stack.housekeeping import Housekeeping
from haven.verification.fingerprint import Sum

NOW = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
RULES = Housekeeping(audit_months_ahead=2)
HELD = Sum(3, 77)


def partition(year, number, **values):
    month = Month(year, number)
    return replace(Partition(month.name, True, (month.first, month.end)), **values)


THERE = (partition(2026, 12), partition(2027, 1), partition(2027, 2))
OLD = partition(2019, 11)
GONE = replace(OLD, attached=False, bounds=None)
PROOF = Proof(
    subject=OLD.relation,
    count=3,
    total=77,
    manifest="exports/1/manifest.json",
    manifest_sha256="ab",
    read_back=datetime(2026, 12, 1, tzinfo=UTC),
)


def acts(*more, proofs=None, there=THERE):
    found = due(Log((*there, *more)), proofs or {}, RULES, NOW)
    return [(str(one.act), one.month.name) for one in found]


def test_months_count_across_years():
    assert month_at(NOW).after(1) == Month(2027, 1)
    assert Month(2027, 1).after(-1) == Month(2026, 12)
    assert Month(2026, 12).end == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_at(datetime.fromisoformat("2027-01-01T01:00:00+02:00")) == Month(2026, 12)


@pytest.mark.parametrize("name", ["access_logs_2026_13", "access_logs_2026_00", "access_logs", "x"])
def test_what_is_no_month_is_none(name):
    assert month_of(name) is None


def test_nothing_is_due_where_all_is_there():
    assert acts() == []
    assert acts(partition(2019, 12)) == []


@pytest.mark.parametrize(
    ("more", "proofs", "wanted"),
    [
        ([partition(2026, 5, missing=("a guard",))], {}, ["guard"]),
        ([partition(2026, 5, pending=True)], {}, ["finish detaching"]),
        ([OLD], {}, ["detach"]),
        ([replace(OLD, missing=("a guard",))], {}, ["guard", "detach"]),
        ([replace(OLD, pending=True)], {}, ["finish detaching"]),
        ([GONE], {}, []),
        ([GONE], {OLD.relation: PROOF}, ["drop"]),
        ([OLD], {OLD.relation: PROOF}, ["detach"]),
        ([replace(GONE, missing=("a guard",))], {}, ["guard"]),
        (
            [partition(2026, 5, attached=False, bounds=None)],
            {"audit.access_logs_2026_05": PROOF},
            [],
        ),
        ([partition(2019, 11, bounds=(OLD.bounds[0], NOW))], {}, []),
        ([partition(2019, 1, name="access_logs_older")], {}, []),
    ],
    ids=str,
)
def test_what_is_due(more, proofs, wanted):
    assert [act for act, _ in acts(*more, proofs=proofs)] == wanted


def test_what_is_missing_comes_first_and_what_goes_last():
    found = acts(GONE, partition(2026, 5, missing=("x",)), proofs={OLD.relation: PROOF}, there=())
    assert [act for act, _ in found] == ["make", "make", "make", "guard", "drop"]
    assert found[0] == (str(Act.MAKE), "access_logs_2026_12")


def test_what_waits_for_its_proof_is_told():
    assert waiting(Log((*THERE, OLD, GONE)), {}) == [GONE]
    assert waiting(Log((*THERE, GONE)), {OLD.relation: PROOF}) == []


@pytest.mark.parametrize(
    ("log", "wanted"),
    [
        (Log(THERE), []),
        (Log(THERE[:1]), ["no partition for 2027-01"]),
        (Log(()), ["no partition for 2026-12", "no partition for 2027-01"]),
        (Log((THERE[0], replace(THERE[1], attached=False))), ["no partition for 2027-01"]),
        (Log((THERE[0], replace(THERE[1], pending=True))), ["no partition for 2027-01"]),
        (Log(THERE, "audit.rest"), ["default partition, audit.rest"]),
        (Log((*THERE, Partition("odd", True, (NOW, NOW)))), ["not of the month it names"]),
    ],
    ids=str,
)
def test_what_somebody_is_woken_for(log, wanted):
    found = list(troubles(log, NOW))
    assert len(found) == len(wanted)
    assert all(words in text for words, text in zip(wanted, found, strict=True))


def test_rows_go_only_when_exactly_they_are_proven_elsewhere():
    closed = Month(2019, 11).end
    assert why_not_drop(OLD.relation, closed, HELD, PROOF) == []
    assert why_not_drop(OLD.relation, closed, HELD, None) == ["no export of it was loaded back"]


@pytest.mark.parametrize(
    ("values", "held", "wanted"),
    [
        ({"subject": "audit.access_logs_2019_12"}, HELD, "the proof is of audit"),
        ({"form": 0}, HELD, "hashes in form 0"),
        ({"count": 2}, HELD, "it holds 3 rows, and the export 2"),
        ({"total": 78}, HELD, "are not those of the export"),
        ({}, Sum(4, 77), "it holds 4 rows"),
        ({"read_back": datetime(2019, 11, 30, tzinfo=UTC)}, HELD, "before its last row"),
        ({"manifest": ""}, HELD, "names no manifest"),
    ],
    ids=str,
)
def test_any_difference_keeps_them(values, held, wanted):
    reasons = why_not_drop(OLD.relation, Month(2019, 11).end, held, PROOF.model_copy(update=values))
    assert wanted in reasons[0]


def test_seven_years_are_seven_years():
    for days in range(3000):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)
        for step in due(Log((OLD,)), {}, RULES, now):
            assert step.act is Act.MAKE or now >= OLD.bounds[1] + timedelta(days=2557)
