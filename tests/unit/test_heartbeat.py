"""What is wrong with a heartbeat: rows of observations."""

from datetime import UTC, datetime, timedelta

import pytest

from haven.heartbeat import Beat, Seen, Trouble, findings, lag

NOW = datetime(2026, 11, 28, 4, tzinfo=UTC)
WRITER, REPLICA = "primary", "replica-1"
OURS = "db-OURS"
LIMIT = 60


def beat(age=1.0, instance=OURS):
    at = NOW - timedelta(seconds=age)
    return Beat("stack", at, beats=100, epoch=1, instance=instance, age_s=age)


def writer(it):
    return Seen(WRITER, OURS, it)


def replica(it, unreachable=""):
    return Seen(REPLICA, "db-REPLICA", it, unreachable)


WELL = writer(beat())
ROWS = [
    ("beating", WELL, [], set()),
    ("as old as it may be", writer(beat(60)), [], set()),
    ("too old", writer(beat(60.1)), [], {(Trouble.STALE, WRITER)}),
    ("never", writer(None), [], {(Trouble.NEVER, WRITER)}),
    ("of another instance", writer(beat(1, "db-OLD")), [], {(Trouble.ELSEWHERE, WRITER)}),
    (
        "old, and of another instance",
        writer(beat(61, "db-OLD")),
        [],
        {(Trouble.STALE, WRITER), (Trouble.ELSEWHERE, WRITER)},
    ),
    ("dated by a clock that is ahead", writer(beat(-3)), [], set()),
    ("a replica that follows", WELL, [replica(beat())], set()),
    ("a replica that is as far behind as it may be", WELL, [replica(beat(61))], set()),
    ("a replica that is behind", WELL, [replica(beat(61.1))], {(Trouble.BEHIND, REPLICA)}),
    ("a replica that no beat came to", WELL, [replica(None)], {(Trouble.BEHIND, REPLICA)}),
    ("no beat anywhere", writer(None), [replica(None)], {(Trouble.NEVER, WRITER)}),
    ("an old beat everywhere", writer(beat(99)), [replica(beat(99))], {(Trouble.STALE, WRITER)}),
    (
        "a replica that does not answer",
        WELL,
        [replica(None, "no connection")],
        {(Trouble.UNREACHABLE, REPLICA)},
    ),
]


@pytest.mark.parametrize(
    ("seen", "replicas", "wanted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_is_wrong_is_told_from_what_each_server_has(seen, replicas, wanted):
    found = findings(seen, replicas, LIMIT)
    assert {(item.trouble, item.server) for item in found} == wanted
    assert [item.is_note for item in found] == [item.server == REPLICA for item in found]
    assert all(item.text and item.cure.endswith(".") for item in found)


@pytest.mark.parametrize(
    ("of_writer", "of_replica", "wanted"),
    [
        (beat(1), beat(1), 0.0),
        (beat(1), beat(31.5), 30.5),
        # It was asked later, when it had a newer one.
        (beat(6), beat(1), 0.0),
        (beat(1), None, None),
        (None, beat(1), None),
    ],
)
def test_lag_is_what_a_replica_lacks_of_the_writers_beats(of_writer, of_replica, wanted):
    assert lag(of_writer, of_replica) == wanted
