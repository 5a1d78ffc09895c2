"""What is not as it must be stops a rotation, in one message, and nothing was touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flows.endpoints import writer_login
from flows.rotate_credentials import RotateParameters
from haven.errors import Conflict, Failed, HavenError, InvalidRequest
from tasks.migration_lock import run_lock
from tests.local.provision.conftest import Place
from tests.local.provision.rotating import (
    STEPS,
    as_master,
    as_owner,
    content,
    make_sound,
    manager,
    now,
    pointed,
    refusal,
    rotate,
    secret,
    the_stack,
)

pytestmark = pytest.mark.local


@pytest.fixture
def sound(place: Callable[..., Place]) -> Place:
    return make_sound(the_stack(place))


def test_a_pending_version_of_somebody_else_is_named(sound: Place) -> None:
    client, name = manager(sound), secret(sound, "haven_reader")
    theirs = client.put_secret_value(
        SecretId=name, SecretString=json.dumps({"password": "theirs"}), VersionStages=["AWSPENDING"]
    )["VersionId"]
    try:
        error = refusal(sound, mode="now", only=["haven_reader"])
    finally:
        client.update_secret_version_stage(
            SecretId=name, VersionStage="AWSPENDING", RemoveFromVersionId=theirs
        )
    assert isinstance(error, Conflict)
    assert f"pending version {theirs}" in str(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("no json", "holds no JSON object"),
        ({"password": ""}, "has no password"),
        ({"username": "haven_owner"}, "is of another user"),
        ({"host": "db.example.org"}, "is for another host"),
    ],
)
def test_a_secret_that_is_not_as_it_must_be_is_left_alone(
    sound: Place, change: str | dict[str, str], words: str
) -> None:
    before = content(sound, "haven_auditor")
    text = change if isinstance(change, str) else json.dumps(before | change)
    client, name = manager(sound), secret(sound, "haven_auditor")
    client.put_secret_value(SecretId=name, SecretString=text)
    try:
        error = refusal(sound, mode="now", only=["haven_auditor"])
    finally:
        client.put_secret_value(SecretId=name, SecretString=json.dumps(before))
    assert isinstance(error, InvalidRequest)
    assert words in str(error)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"username": "haven_reader"}, Conflict, "do not belong together"),
        ({"secret": "arn:aws:elsewhere"}, Conflict, "do not belong together"),
        ({"secret": ""}, InvalidRequest, "names no secret"),
    ],
)
def test_a_pointer_that_points_elsewhere_is_left_alone(
    sound: Place, change: dict[str, str], error: type[HavenError], words: str
) -> None:
    before = content(sound, "writer")
    client, name = manager(sound), secret(sound, "writer")
    client.put_secret_value(SecretId=name, SecretString=json.dumps(before | change))
    try:
        refused = refusal(sound, mode="now", only=["application"])
    finally:
        client.put_secret_value(SecretId=name, SecretString=json.dumps(before))
    assert isinstance(refused, error)
    assert words in str(refused)


@pytest.mark.parametrize("used", ["haven_migrator", "haven_reader"])
def test_what_a_migration_uses_is_left_alone_while_one_is_at_work(sound: Place, used: str) -> None:
    login = writer_login(sound.run(), None, "haven_migrator")
    before = content(sound, used)
    moment = {"made_before": datetime.now(UTC).isoformat(), "only": [used]}
    with run_lock(login, "a migration"):
        report = rotate(sound, **moment)
        with pytest.raises(Conflict, match="Another run is migrating"):
            now(sound, used)
        assert content(sound, used) == before
        (done,) = rotate(sound, mode="emergency", only=[used]).rotations
    (warning,) = report.warnings
    assert warning.startswith(f"{used} is left for the next run: Another run is migrating")
    assert (report.rotations, done.steps) == ([], STEPS)


def test_a_secret_that_is_being_deleted_is_left_alone(sound: Place) -> None:
    client, name = manager(sound), secret(sound, "haven_auditor")
    client.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=["us-west-2"])
    client.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    try:
        error = refusal(sound, mode="now", only=["haven_auditor"])
    finally:
        client.restore_secret(SecretId=name)
        sound.provision()
    assert isinstance(error, Conflict)
    assert f"{name} is scheduled for deletion" in str(error)


@pytest.mark.parametrize(
    ("spoil", "mend", "words"),
    [
        ("ALTER ROLE haven_app_b NOLOGIN", "ALTER ROLE haven_app_b LOGIN", "LOGIN is no"),
        (
            "REVOKE haven_app_rw FROM haven_app_b",
            "GRANT haven_app_rw TO haven_app_b",
            "member of haven_app_rw is none",
        ),
        (
            "ALTER ROLE haven_app_b SET statement_timeout = '1h'",
            "ALTER ROLE haven_app_b SET statement_timeout = '30s'",
            "setting statement_timeout is 1h",
        ),
    ],
)
def test_a_role_that_is_not_as_it_must_be_stops_it(
    sound: Place, spoil: str, mend: str, words: str
) -> None:
    as_master(sound, spoil)
    try:
        error = refusal(sound, mode="emergency", only=["application"])
    finally:
        as_master(sound, mend)
    assert isinstance(error, Conflict)
    assert words in str(error)


@pytest.mark.parametrize(
    ("spoil", "mend", "words"),
    [
        (
            "GRANT TRUNCATE ON haven_health.patients TO {role}",
            "REVOKE TRUNCATE ON haven_health.patients FROM {role}",
            "TRUNCATE",
        ),
        (
            "CREATE POLICY mine ON haven_health.patients TO {role} USING (true)",
            "DROP POLICY mine ON haven_health.patients",
            "policy mine",
        ),
    ],
)
def test_the_pointer_stays_where_the_other_role_may_not_do_the_same(
    sound: Place, spoil: str, mend: str, words: str
) -> None:
    before = pointed(sound)
    as_owner(sound, spoil.format(role=before))
    try:
        with pytest.raises(
            Failed, match=f"{words} on table haven_health.patients only for {before}"
        ):
            now(sound, "application")
        assert pointed(sound) == before
    finally:
        as_owner(sound, mend.format(role=before))
    assert [item.turn for item in now(sound, "application")] == ["move", "expire"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"mode": "rollback", "only": ["haven_reader"], "to": "nowhere"}, "no way back to"),
        ({"mode": "now", "made_before": "2999-01-01T00:00:00Z"}, "is yet to come"),
    ],
)
def test_what_makes_no_sense_is_refused(
    sound: Place, parameters: dict[str, Any], words: str
) -> None:
    assert words in str(refusal(sound, **parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"only": ["nobody"]},
        {"mode": "rollback", "only": ["haven_reader"]},
        {"mode": "rollback", "to": "x"},
        {"to": "x"},
        {"made_before": "2026-01-01T00:00:00"},
        {"wait": -1},
    ],
)
def test_parameters_that_do_not_fit_together_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="RotateParameters"):
        RotateParameters.model_validate(parameters)
