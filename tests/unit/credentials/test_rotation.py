"""What a rotation does next: rows of cases."""

from datetime import UTC, datetime, timedelta

import pytest

from haven.credentials.check import CURRENT, PENDING, Credential, Version
from haven.credentials.rotation import (
    Step,
    next_step,
    refuse_other_rotators,
    stale_pending,
    successor,
)
from haven.errors import Conflict

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PREVIOUS = "AWSPREVIOUS"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:haven/prod/haven_reader-AbCdEf"


def version(identifier, *stages, hours=1.0):
    return Version(identifier, frozenset(stages), NOW - timedelta(hours=hours))


def credential(*versions, rotated_by=""):
    return Credential("haven/prod/haven_reader", "haven_reader", versions, ARN, "", rotated_by)


FIRST = credential(version("first", CURRENT))
NEXT = successor(FIRST)


def test_the_next_version_is_the_same_until_it_is_current():
    pending = credential(version("first", CURRENT), version(NEXT, PENDING))
    done = credential(version("first", PREVIOUS), version(NEXT, CURRENT))
    assert len(NEXT) >= 32
    assert successor(pending) == NEXT
    assert successor(done) != NEXT


@pytest.mark.parametrize("left", [version(NEXT), version(NEXT, PREVIOUS)])
def test_a_version_that_was_left_is_not_used_again(left):
    again = successor(credential(version("first", CURRENT), left))
    assert again != NEXT
    assert again == successor(credential(version("first", CURRENT), left, version(again, PENDING)))


@pytest.mark.parametrize(
    ("versions", "works", "tested", "step"),
    [
        ([version("first", CURRENT)], False, False, Step.CREATE),
        ([version("first", CURRENT), version(NEXT, PENDING)], False, False, Step.SET),
        ([version("first", CURRENT), version(NEXT, PENDING)], False, True, Step.SET),
        ([version("first", CURRENT), version(NEXT, PENDING)], True, False, Step.TEST),
        ([version("first", CURRENT), version(NEXT, PENDING)], True, True, Step.FINISH),
        ([version("first", PREVIOUS), version(NEXT, CURRENT, PENDING)], True, True, Step.FINISH),
        ([version("first", PREVIOUS), version(NEXT, CURRENT)], True, True, Step.DONE),
    ],
)
def test_the_next_step_is_read_off_the_secret_and_the_database(versions, works, tested, step):
    assert next_step(credential(*versions), NEXT, works=works, tested=tested) is step


@pytest.mark.parametrize(
    ("versions", "stale"),
    [
        ([version("first", CURRENT)], ""),
        ([version("first", CURRENT, PENDING)], ""),
        ([version("first", CURRENT), version(NEXT, PENDING)], ""),
        # The host was written into the secret meanwhile.
        ([version("host", CURRENT), version("first", PREVIOUS), version(NEXT, PENDING)], NEXT),
    ],
)
def test_what_a_rotation_of_ours_gave_up_is_told(versions, stale):
    assert stale_pending(credential(*versions)) == stale


def test_a_pending_version_of_somebody_else_is_named():
    with pytest.raises(Conflict, match=r"pending version theirs that is not ours, made 2026-11-22"):
        stale_pending(credential(version("first", CURRENT), version("theirs", PENDING)))


def test_another_rotator_is_named():
    refuse_other_rotators([FIRST])
    with pytest.raises(Conflict, match="haven/prod/haven_reader by a function"):
        refuse_other_rotators([FIRST, credential(rotated_by="a function")])
