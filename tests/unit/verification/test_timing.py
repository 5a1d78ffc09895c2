"""How fresh a copy is, judged by its heartbeat."""

from datetime import UTC, datetime, timedelta

import pytest

from haven.verification.timing import Pulse, Shown, freshness_check, rpo_seconds
from haven.verification.verdict import Outcome

T = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pulse(seconds, beats):
    return Pulse(T + timedelta(seconds=seconds), beats)


@pytest.mark.parametrize(
    ("copy", "source", "exact", "outcome"),
    [
        (pulse(-3, 100), pulse(7, 102), True, Outcome.PASSED),
        (pulse(-59, 100), pulse(7, 113), True, Outcome.PASSED),
        # Stale: the source went on beating, and this copy does not know.
        (pulse(-300, 100), pulse(100, 180), True, Outcome.FAILED),
        # The source itself was silent for as long.
        (pulse(-300, 100), pulse(100, 120), True, Outcome.PASSED),
        (pulse(-300, 100), pulse(-300, 100), True, Outcome.PASSED),
        # Newer than what was asked for.
        (pulse(5, 100), pulse(7, 101), True, Outcome.FAILED),
        (pulse(5, 100), pulse(7, 101), False, Outcome.PASSED),
        (None, pulse(0, 1), True, Outcome.FAILED),
        (pulse(0, 1), None, True, Outcome.NOTHING),
        (None, None, True, Outcome.NOTHING),
    ],
)
def test_a_copy_is_as_fresh_as_its_last_beat(copy, source, exact, outcome):
    shown = Shown(T, exact, interval=5, limit=60)
    assert freshness_check(copy, source, shown).outcome is outcome


def test_what_was_lost_is_never_less_than_nothing():
    assert rpo_seconds(T - timedelta(seconds=4), T) == 4.0
    assert rpo_seconds(T + timedelta(seconds=4), T) == 0.0
    assert rpo_seconds(None, T) is None
