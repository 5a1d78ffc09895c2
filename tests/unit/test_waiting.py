"""Waiting, on a clock that the test moves."""

from typing import Any

import pytest

from haven.errors import Failed, Unavailable
from haven.waiting import SystemClock, Wait, backoff, wait_for


class FakeClock:
    def __init__(self):
        self.time = 0.0
        self.slept = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


def waiting(states, **changes):
    left = iter(states)
    values: dict[str, Any] = {
        "what": "the thing",
        "probe": lambda: next(left),
        "reached": lambda state: state == "there",
        "fatal": lambda state: "it broke" if state == "broken" else None,
        "interval": 2.0,
        "deadline": 10.0,
    }
    return Wait(**(values | changes))


def test_what_is_there_at_once_is_not_waited_for():
    clock = FakeClock()
    assert wait_for(waiting(["there"]), clock=clock) == "there"
    assert clock.slept == []


def test_it_probes_at_the_interval_until_it_is_there():
    clock = FakeClock()
    wait_for(waiting(["away", "away", "there"]), clock=clock)
    assert clock.slept == [2.0, 2.0]


def test_a_fatal_state_ends_the_wait_with_its_reason():
    with pytest.raises(Failed, match="the thing cannot succeed: it broke"):
        wait_for(waiting(["away", "broken"]), clock=FakeClock())


def test_the_deadline_is_resumable_and_says_what_was_seen_last():
    clock = FakeClock()
    with pytest.raises(Unavailable, match=r"not reached in 10 s; last seen: away") as caught:
        wait_for(waiting(["away"] * 99), clock=clock)
    assert caught.value.resumable
    assert clock.time == 10.0


def test_a_stopped_clock_ends_every_wait():
    clock = SystemClock()
    clock.stop()
    with pytest.raises(Unavailable, match="Interrupted"):
        wait_for(waiting(["away"] * 9), clock=clock)


@pytest.mark.parametrize("attempt", range(12))
def test_backoff_grows_to_its_cap_and_never_beyond(attempt):
    assert all(0 <= backoff(attempt, base=0.1, cap=5) <= 5 for _ in range(50))
