"""Which credentials are due, and which must wait: rows of cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from haven.credentials.check import CURRENT, Credential, Version
from haven.credentials.rotation import successor
from haven.credentials.schedule import (
    Due,
    Holding,
    Pointed,
    Turn,
    is_due,
    pair_due,
    singles_due,
    turn_of,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:haven/prod/haven_app_a-AbCdEf"
A, B = "haven_app_a", "haven_app_b"


def credential(hours, login=A, *, ours=True):
    """A credential whose current version is so old; a rotation of ours made it, or not."""
    first = Version("first", frozenset({"AWSPREVIOUS"}), NOW - timedelta(days=90))
    before = Credential(login, login, (replace(first, stages=frozenset({CURRENT})),), ARN)
    made = successor(before) if ours else "made by something else"
    current = Version(made, frozenset({CURRENT}), NOW - timedelta(hours=hours))
    return Credential(f"haven/prod/{login}", login, (current, first), ARN)


@pytest.mark.parametrize(
    ("hours", "due"), [(720.1, True), (720, False), (1, False)], ids=["older", "as old", "new"]
)
def test_a_credential_is_due_when_it_was_made_before(hours, due):
    assert is_due(credential(hours), NOW - timedelta(days=30)) is due


def test_a_secret_without_a_current_version_is_due():
    assert is_due(Credential("haven/prod/haven_app_a", A, ()), NOW)


MOVED = NOW - timedelta(hours=10)
HOLDING = Holding(timedelta(hours=1), timedelta(hours=5))
FREE = MOVED + timedelta(hours=2, seconds=1)


@pytest.mark.parametrize(
    ("active", "idle", "due"),
    [
        # The role that was left: its password was made before the pointer moved, or after.
        (10, 11, Due(Turn.EXPIRE, MOVED + timedelta(hours=5))),
        (10, 10, Due(Turn.EXPIRE, MOVED + timedelta(hours=5))),
        (10, 9, Due(Turn.KEEP, MOVED + timedelta(hours=5))),
        (25, 26, Due(Turn.MOVE, FREE)),
        # A run that was killed has made the new password.
        (25, 9, Due(Turn.MOVE, MOVED, fresh=True)),
    ],
)
def test_an_alternating_credential_is_moved_when_it_is_free(active, idle, due):
    assert turn(active, idle, MOVED) == due


def test_a_password_that_expired_long_ago_is_not_fresh():
    moved = NOW - timedelta(days=30)
    assert turn(30 * 24, 29 * 24, moved) == Due(Turn.MOVE, moved, fresh=False)


def test_a_version_that_something_else_made_may_have_the_password_that_is_held():
    assert turn(25, 9, MOVED, ours=False) == Due(Turn.MOVE, FREE)
    assert turn(10, 9, MOVED, ours=False) == Due(Turn.EXPIRE, MOVED + timedelta(hours=5))


def test_nobody_holds_what_the_pointer_never_named():
    assert turn(25, 26, MOVED, ever_moved=False) == Due(Turn.MOVE, MOVED)
    assert turn(10, 26, MOVED, ever_moved=False).turn is Turn.KEEP


def turn(active, idle, moved, *, ours=True, ever_moved=True):
    pointed = Pointed("pointer", ARN, A, moved, NOW, ever_moved)
    before = NOW - timedelta(hours=24)
    return turn_of(credential(active), credential(idle, ours=ours), pointed, before, HOLDING)


def test_no_password_expires_while_a_client_may_hold_it():
    brief = Holding(timedelta(hours=1), timedelta(0))
    assert brief.expires(MOVED) == FREE


@pytest.mark.parametrize(("hours", "due"), [(25, ["haven_reader"]), (23, [])])
def test_a_login_of_its_own_is_due_by_age(hours, due):
    found = singles_due(
        ["haven_reader"], {"haven_reader": credential(hours)}, NOW - timedelta(hours=24)
    )
    assert [item.login for item in found] == due
    assert all(item.due.turn is Turn.RENEW for item in found)


@pytest.mark.parametrize(
    ("role", "active", "idle", "wanted"),
    [
        (A, 25, 26, (B, Turn.MOVE)),
        (B, 25, 26, (A, Turn.MOVE)),
        (A, 10, 26, (B, Turn.EXPIRE)),
        (A, 10, 9, None),
    ],
)
def test_the_role_that_is_not_in_use_is_worked_on(role, active, idle, wanted):
    other = B if role == A else A
    pointed = Pointed("pointer", ARN, role, MOVED, NOW)
    credentials = {role: credential(active, role), other: credential(idle, other)}
    found = pair_due(credentials, (A, B), pointed, NOW - timedelta(hours=24), HOLDING)
    assert (found and (found.login, found.due.turn)) == wanted
