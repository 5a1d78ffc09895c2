"""The state of an alarm over its datapoints: the tables of the CloudWatch User Guide."""

from __future__ import annotations

import pytest

from localcloud.monitoring import evaluation
from localcloud.monitoring.evaluation import Rule

POINTS = {"X": 9.0, "0": 1.0, "-": None}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
STATES = {"A": "ALARM", "O": "OK", "I": "INSUFFICIENT_DATA", "=": "current"}
# Datapoints to alarm out of three, the datapoints of five periods, the state per treatment of
# missing data: missing, ignore, breaching, notBreaching. "=": the state stays as it was.
TABLE = [
    (3, "0-X-X", "OOOO"),
    (3, "----0", "OOOO"),
    (3, "-----", "I=AO"),
    (3, "0XX-X", "AAAA"),
    (3, "--X--", "A=AO"),
    (3, "----X", "==AO"),
    (3, "XXX00", "OOOO"),
    (3, "00XXX", "AAAA"),
    (2, "0-X-X", "AAAA"),
    (2, "00X0X", "AAAA"),
    (2, "0-X--", "OOAO"),
    (2, "----0", "OOAO"),
    (2, "---X-", "A=AO"),
    (2, "-----", "I=AO"),
    (1, "----X", "AAAA"),
    (1, "X0000", "OOOO"),
]


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize(("needed", "points", "states"), TABLE)
@pytest.mark.parametrize("current", ["OK", "ALARM", "INSUFFICIENT_DATA"])
def test_state(needed: int, points: str, states: str, treatment: str, current: str) -> None:
    rule = Rule("GreaterThanThreshold", 5.0, 3, needed, treatment)
    wanted = STATES[states[TREATMENTS.index(treatment)]]
    found = evaluation.evaluate(rule, [POINTS[point] for point in points], current)
    assert found.state == (current if wanted == "current" else wanted)


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", [6.0]),
        ("GreaterThanOrEqualToThreshold", [5.0, 6.0]),
        ("LessThanThreshold", [4.0]),
        ("LessThanOrEqualToThreshold", [4.0, 5.0]),
    ],
)
def test_comparison(comparison: str, breaching: list[float]) -> None:
    rule = Rule(comparison, 5.0, 1, 1)
    assert [value for value in (4.0, 5.0, 6.0) if rule.breaches(value)] == breaching


@pytest.mark.parametrize(
    ("points", "treatment", "words"),
    [
        ("--XXX", "missing", "3 out of the last 3 datapoints [9.0, 9.0, 9.0] were greater than"),
        ("--X0X", "missing", "1 out of the last 3 datapoints [1.0] was not greater than"),
        ("-----", "missing", "Insufficient Data: 3 datapoints were unknown."),
        ("-----", "breaching", "3 missing datapoints were treated as [Breaching]."),
    ],
)
def test_reason(points: str, treatment: str, words: str) -> None:
    rule = Rule("GreaterThanThreshold", 5.0, 3, 3, treatment)
    assert words in evaluation.evaluate(rule, [POINTS[point] for point in points], "OK").reason
