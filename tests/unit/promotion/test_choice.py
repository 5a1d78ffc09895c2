"""Whom to promote: rows of what was seen, and what is decided."""

from dataclasses import replace
from typing import Any

import pytest

from haven.promotion.choice import Limits, Mode, Promotion, Refusal, decide
from haven.promotion.observed import Candidate, Source, Vantage, position, written

HOME, AWAY = "us-east-1", "us-west-2"
GONE = (Vantage("login", sees=False), Vantage("RDS", sees=False), Vantage("proxy", sees=None))
ALIVE = Source("p", HOME, zone="a", end=1000, max_connections=100, vantages=())
DEAD = replace(ALIVE, end=None, vantages=GONE)
ONE = Candidate(
    "r1",
    HOME,
    zone="b",
    instance_class="db.r6g.large",
    follows="p",
    received=900,
    replayed=900,
    heard=1000,
    fed=True,
    max_connections=100,
    beat_age=2.0,
)
TWO = replace(ONE, name="r2", zone="c", received=950, replayed=920)
FAR = replace(ONE, name="d", region=AWAY, received=1000, replayed=1000)
LIMITS = Limits(loss_s=300, lag_s=60)


@pytest.mark.parametrize(
    ("mode", "source", "candidates", "wanted", "chosen"),
    [
        # Everything is drained: what each has does not count, but the region and the name do.
        (Mode.PLANNED, ALIVE, [TWO, ONE, FAR], "", "r1"),
        (Mode.PLANNED, ALIVE, [FAR], "", "d"),
        (Mode.PLANNED, ALIVE, [ONE, FAR], "d", "d"),
        (Mode.PLANNED, ALIVE, [replace(ONE, zone="a"), TWO], "", "r2"),
        (Mode.PLANNED, ALIVE, [ONE, replace(TWO, instance_class="db.r6g.2xlarge")], "", "r2"),
        (Mode.PLANNED, ALIVE, [replace(ONE, paused=True), TWO], "", "r2"),
        (Mode.PLANNED, ALIVE, [replace(ONE, status="backing-up"), TWO], "", "r2"),
        (Mode.PLANNED, ALIVE, [replace(ONE, beat_age=61), TWO], "", "r2"),
        (Mode.FAIL_BACK, ALIVE, [FAR], "", "d"),
        # Whoever has most, at home.
        (Mode.EMERGENCY, DEAD, [ONE, TWO, FAR], "", "r2"),
        (Mode.EMERGENCY, DEAD, [replace(ONE, replayed=990), TWO], "", "r1"),
        (Mode.EMERGENCY, DEAD, [replace(ONE, unreachable="x"), FAR], "", "d"),
        (Mode.EMERGENCY, DEAD, [replace(ONE, fed=False), FAR], "", "r1"),
        (Mode.EMERGENCY, DEAD, [replace(TWO, zone="a"), replace(ONE, received=950)], "", "r1"),
    ],
)
def test_the_best_of_those_that_are_fit(
    mode: Mode, source: Source, candidates: list[Candidate], wanted: str, chosen: str
) -> None:
    decision = decide(mode, source, candidates, wanted, LIMITS)
    assert isinstance(decision, Promotion), decision
    assert decision.candidate.name == chosen


@pytest.mark.parametrize(
    ("mode", "source", "changes", "reason", "cure"),
    [
        (Mode.PLANNED, DEAD, {}, "p: it does not answer", "mode=emergency"),
        (Mode.PLANNED, ALIVE, {"name": "other"}, "r1: it is no replica of p", "other"),
        (Mode.PLANNED, ALIVE, {"unreachable": "no route"}, "no route", "Look at"),
        (Mode.PLANNED, ALIVE, {"in_recovery": False}, "takes writes already", "leave it"),
        (Mode.PLANNED, ALIVE, {"follows": "q"}, "it follows q, not p", "primary itself"),
        (Mode.PLANNED, ALIVE, {"status": "backing-up"}, "it is backing-up", "wait"),
        (Mode.PLANNED, ALIVE, {"paused": True}, "does not replay", "pg_wal_replay_resume"),
        (
            Mode.PLANNED,
            ALIVE,
            {"paused": True, "max_connections": 50},
            "does not replay",
            "max_connections is 50, the primary's 100",
        ),
        (Mode.PLANNED, ALIVE, {"fed": False}, "it is not fed", "slot on the primary"),
        (Mode.PLANNED, ALIVE, {"beat_age": 90.0}, "it is 90 s behind", "within 60 s"),
        (Mode.EMERGENCY, ALIVE, {}, "p: it answers", "mode=planned"),
        (Mode.EMERGENCY, DEAD, {"beat_age": 301.0}, "301 s old", "accept_loss_seconds"),
        (Mode.EMERGENCY, DEAD, {"beat_age": None}, "unknown old", "accept_loss_seconds"),
        (
            Mode.EMERGENCY,
            replace(DEAD, vantages=GONE[:1]),
            {},
            "only 1 of the 2 places",
            "primary_is_gone=p",
        ),
        (
            Mode.EMERGENCY,
            replace(DEAD, vantages=(*GONE, Vantage("replica r2", sees=True))),
            {},
            "still seen from replica r2",
            "primary_is_gone=p",
        ),
    ],
)
def test_nobody_and_why(
    mode: Mode, source: Source, changes: dict[str, Any], reason: str, cure: str
) -> None:
    decision = decide(mode, source, [replace(ONE, **changes)], "r1", LIMITS)
    assert isinstance(decision, Refusal), decision
    said = " ".join(item.sentence for item in decision.reasons)
    assert reason in said
    assert cure in said


def test_a_person_who_types_the_name_needs_no_witness() -> None:
    alone = replace(DEAD, vantages=())
    said_so = replace(LIMITS, dead="p")
    assert isinstance(decide(Mode.EMERGENCY, alone, [ONE], "", said_so), Promotion)
    other = replace(LIMITS, dead="q")
    assert isinstance(decide(Mode.EMERGENCY, alone, [ONE], "", other), Refusal)


def test_a_loss_that_nobody_knows_is_taken_on_by_a_number() -> None:
    blind = replace(ONE, beat_age=None)
    taken_on = replace(LIMITS, unknown=True)
    decision = decide(Mode.EMERGENCY, DEAD, [blind], "", taken_on)
    assert isinstance(decision, Promotion)
    assert any("how much is lost is not known" in text for text in decision.hazards)


def test_every_reason_is_told_at_once() -> None:
    bad = replace(ONE, paused=True, status="backing-up", fed=False)
    decision = decide(Mode.PLANNED, DEAD, [bad], "", LIMITS)
    assert isinstance(decision, Refusal)
    assert [item.subject for item in decision.reasons] == ["p", "r1", "r1", "r1"]


def test_a_planned_one_loses_nothing_and_an_emergency_says_what_it_may() -> None:
    planned = decide(Mode.PLANNED, ALIVE, [ONE], "", LIMITS)
    assert isinstance(planned, Promotion)
    assert planned.loss.rows.is_nothing
    lost = decide(Mode.EMERGENCY, DEAD, [ONE], "", LIMITS)
    assert isinstance(lost, Promotion)
    assert lost.loss.text == "unknown rows, at least 100 bytes of WAL, 0 to 2 s"
    assert lost.loss.rows.holds(0)
    assert lost.loss.rows.holds(10**9)
    assert any("may still take writes" in text for text in lost.hazards)


@pytest.mark.parametrize("lsn", ["0/0", "0/3000148", "16/B374D848", "FFFFFFFF/FFFFFFFF"])
def test_positions_are_lsns(lsn: str) -> None:
    assert written(position(lsn)) == lsn
