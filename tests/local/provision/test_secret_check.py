"""Credentials that let nobody in, and roles that nobody keeps a secret of, are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flows.endpoints import writer_login
from flows.secret_check import secret_check
from haven.cli import show
from haven.credentials.check import Trial
from haven.pg import session
from haven.stack import names
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def made(place: Callable[..., Place]) -> Place:
    """A stack of its own, whose credentials are spoilt."""
    stack = place("credentials")
    stack.provision()
    return stack


@pytest.fixture
def sound(made: Place) -> Place:
    """The stack with all its credentials as they should be."""
    if not secret_check(made.run()).sound:
        made.provision()
        assert secret_check(made.run()).sound
    return made


def told(place: Place) -> dict[str, str]:
    """Return what is wrong, by secret or role, notes left out."""
    found = secret_check(place.run()).findings
    return {item.subject: item.trouble.value for item in found if not item.note}


def secret(place: Place, login: str) -> str:
    return names.secret(place.stack, login)


def as_master(place: Place, statement: str) -> None:
    login = writer_login(place.run(), None, "master")
    with session(login) as connection:
        connection.execute(statement.encode())


def put(place: Place, login: str, text: str) -> None:
    place.client("secretsmanager").put_secret_value(
        SecretId=secret(place, login), SecretString=text
    )


def content(place: Place, login: str) -> dict[str, Any]:
    answer = place.client("secretsmanager").get_secret_value(SecretId=secret(place, login))
    return dict(json.loads(answer["SecretString"]))


def test_a_new_stack_is_sound(sound: Place, capsys: pytest.CaptureFixture[str]) -> None:
    report = secret_check(sound.run())
    assert {item.role for item in report.credentials} == {"haven_admin", *names.LOGIN_ROLES}
    assert {item.login for item in report.credentials} == {Trial.WORKS}
    assert {item.due and item.since and item.due - item.since for item in report.credentials} == {
        timedelta(days=30)
    }
    show.credentials(report, as_json=False)
    assert "6 credentials, 0 wrong" in capsys.readouterr().out


def test_a_password_that_was_changed_elsewhere_is_told_until_provision(sound: Place) -> None:
    as_master(sound, "ALTER ROLE haven_reader PASSWORD 'changed by somebody'")
    assert told(sound) == {secret(sound, "haven_reader"): "refused"}
    sound.provision()
    assert told(sound) == {}


def test_a_role_that_nobody_keeps_a_secret_of_is_told(sound: Place) -> None:
    as_master(sound, 'CREATE ROLE "a stranger" LOGIN')
    try:
        assert told(sound) == {"a stranger": "no-secret"}
    finally:
        as_master(sound, 'DROP ROLE "a stranger"')


def test_a_role_that_cannot_log_in_is_told(sound: Place) -> None:
    as_master(sound, "ALTER ROLE haven_auditor NOLOGIN")
    assert told(sound) == {secret(sound, "haven_auditor"): "no-role"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("no json", "holds no JSON object"),
        ('["list"]', "holds no JSON object"),
        ({"password": ""}, "has no password"),
        ({"username": "haven_owner"}, "is of another user"),
        ({"host": "db.example.org"}, "is for another host"),
    ],
)
def test_content_that_lets_nobody_in_is_told_and_never_quoted(
    sound: Place, change: str | dict[str, str], words: str
) -> None:
    before = content(sound, "haven_app_b")
    put(sound, "haven_app_b", change if isinstance(change, str) else json.dumps(before | change))
    try:
        report = secret_check(sound.run())
    finally:
        put(sound, "haven_app_b", json.dumps(before))
    (finding,) = (item for item in report.findings if not item.note)
    assert (finding.subject, finding.trouble) == (secret(sound, "haven_app_b"), "malformed")
    assert words in finding.text
    assert before["password"] not in report.model_dump_json()


def test_one_that_is_being_deleted_is_told(sound: Place) -> None:
    client, name = sound.client("secretsmanager"), secret(sound, "haven_auditor")
    client.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=["us-west-2"])
    client.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    try:
        assert told(sound) == {name: "to-be-deleted"}
    finally:
        client.restore_secret(SecretId=name)


def test_where_no_password_works_every_one_is_told(
    sound: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.secret_check._tried", lambda _: Trial.REFUSED)
    assert set(told(sound).values()) == {"refused"}
    assert len(told(sound)) == len(names.LOGIN_ROLES) + 1


def test_nothing_is_changed(sound: Place) -> None:
    run = sound.run()
    secret_check(run)
    assert run.journal.writes == 0
