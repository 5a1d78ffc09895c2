"""What is wrong with credentials: rows of cases."""

from datetime import UTC, datetime, timedelta

import pytest

from haven.credentials.check import Credential, Trial, Trouble, Version, due, findings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAME = "haven/prod/haven_reader"
ROLE = "haven_reader"


def version(hours=1.0, *stages):
    return Version(f"v{hours:g}", frozenset(stages), NOW - timedelta(hours=hours))


CURRENT = version(24, "AWSCURRENT")


def credential(*more, **changes):
    return Credential(NAME, ROLE, (CURRENT, *more), **changes)


def told(item, roles=(ROLE,), trial=Trial.WORKS):
    found = findings([item], roles, {NAME: trial}, now=NOW, days=30)
    return {(finding.trouble, finding.subject) for finding in found}


@pytest.mark.parametrize(
    ("item", "troubles"),
    [
        (credential(), []),
        (credential(version(48, "AWSPREVIOUS")), []),
        (credential(version(0.9, "AWSPENDING")), []),
        (credential(version(1.1, "AWSPENDING")), [Trouble.PENDING_LEFT]),
        (Credential(NAME, ROLE, (version(48, "AWSCURRENT", "AWSPENDING"),)), []),
        (credential(version(48), version(49)), [Trouble.UNUSED_VERSIONS]),
        (Credential(NAME, ROLE, (version(30 * 24, "AWSCURRENT"),)), []),
        (Credential(NAME, ROLE, (version(30 * 24 + 1, "AWSCURRENT"),)), [Trouble.OVERDUE]),
        (credential(wrong="it has no password"), [Trouble.MALFORMED]),
        (credential(rotated_by="a function"), [Trouble.ROTATED_ELSEWHERE]),
        (credential(version(2, "AWSPENDING"), deleted=NOW), [Trouble.DELETION]),
        (Credential(NAME, ROLE, ()), []),
    ],
)
def test_a_secret_is_told_from_its_versions(item, troubles):
    assert told(item) == {(trouble, NAME) for trouble in troubles}


@pytest.mark.parametrize(
    ("roles", "trial", "wanted"),
    [
        ((ROLE,), Trial.WORKS, set()),
        ((ROLE,), Trial.REFUSED, {(Trouble.REFUSED, NAME)}),
        ((ROLE,), Trial.UNREACHABLE, {(Trouble.UNREACHABLE, NAME)}),
        ((), Trial.REFUSED, {(Trouble.NO_ROLE, NAME)}),
        ((ROLE, "stranger"), Trial.WORKS, {(Trouble.NO_SECRET, "stranger")}),
    ],
)
def test_roles_and_secrets_go_together(roles, trial, wanted):
    assert told(credential(), roles, trial) == wanted


def test_a_secret_that_is_malformed_is_not_said_to_be_refused():
    assert told(credential(wrong="odd"), (), Trial.REFUSED) == {(Trouble.MALFORMED, NAME)}


def test_every_trouble_has_its_cure():
    items = [
        credential(version(2, "AWSPENDING"), version(9), wrong="odd", rotated_by="a function"),
        Credential(NAME, ROLE, (version(10**4, "AWSCURRENT"),)),
        credential(deleted=NOW),
    ]
    found = findings(items, ["x"], {}, now=NOW, days=30)
    assert all(item.text and item.cure.endswith(".") for item in found)
    assert {item.trouble for item in found if item.is_note} == {
        Trouble.UNUSED_VERSIONS,
        Trouble.OVERDUE,
    }


def test_a_credential_is_due_by_the_age_of_its_current_version():
    assert due(credential(version(1, "AWSPENDING")), 30) == CURRENT.created + timedelta(days=30)
    assert due(Credential(NAME, ROLE, ()), 30) is None
