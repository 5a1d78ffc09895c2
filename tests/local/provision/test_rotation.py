"""Credentials get new passwords: proven before they are used, and the old ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flows.endpoints import writer_login
from flows.migrate import MigrateParameters, migrate
from flows.rotate_credentials import CREDENTIALS, RotateParameters, rotate_credentials
from flows.rotation_report import RotateReport, Rotation
from flows.secret_check import secret_check
from flows.status import environment, status
from haven.cli import show
from haven.errors import Conflict, Failed, HavenError, InvalidRequest, Refused
from haven.pg import open_connection, session
from haven.stack import names
from tasks.migration_lock import run_lock
from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local
PREFIX = "haven-tests-rotation"
SERVERS = {f"{PREFIX}-primary", f"{PREFIX}-replica-1", f"{PREFIX}-dr"}
STEPS = ["create", "set", "test", "finish"]
BRIEF, LONG = "cache_seconds = 0\ngrace_seconds = 0\n", "cache_seconds = 600\n"


@pytest.fixture(scope="module")
def made(place: Callable[..., Place]) -> Place:
    """A stack of its own with tables in it, whose clients keep nothing."""
    stack = place("rotation", sections=f"[secrets]\n{BRIEF}")
    stack.provision()
    migrate(stack.run(), MigrateParameters())
    return stack


@pytest.fixture
def sound(made: Place) -> Place:
    """The same with all its credentials as they should be."""
    if not secret_check(made.run()).sound:
        made.provision()
        assert secret_check(made.run()).sound
    return made


@contextmanager
def long_cache(place: Place) -> Iterator[None]:
    """Let clients keep what they have read for a block."""
    text = place.path.read_text(encoding="utf-8")
    place.path.write_text(text.replace(BRIEF, LONG), encoding="utf-8")
    try:
        yield
    finally:
        place.path.write_text(text, encoding="utf-8")


def rotate(place: Place, **parameters: Any) -> RotateReport:
    return rotate_credentials(place.run(), RotateParameters.model_validate(parameters))


def now(place: Place, *only: str, **parameters: Any) -> list[Rotation]:
    return rotate(place, mode="now", only=list(only), wait=10, **parameters).rotations


def refusal(place: Place, **parameters: Any) -> HavenError:
    """Return why a rotation was refused; nothing was asked to change."""
    run = place.run()
    with pytest.raises(HavenError) as caught:
        rotate_credentials(run, RotateParameters.model_validate(parameters))
    assert run.journal.writes == 0
    return caught.value


def manager(place: Place) -> Any:
    return place.client("secretsmanager")


def secret(place: Place, login: str) -> str:
    return names.secret(place.stack, login)


def content(place: Place, login: str, stage: str = "AWSCURRENT") -> dict[str, str]:
    answer = manager(place).get_secret_value(SecretId=secret(place, login), VersionStage=stage)
    return dict(json.loads(answer["SecretString"]))


def stages(place: Place, login: str) -> dict[str, list[str]]:
    listed = manager(place).list_secret_version_ids(SecretId=secret(place, login))
    return {item["VersionId"]: item["VersionStages"] for item in listed["Versions"]}


def as_master(place: Place, statement: str) -> None:
    with session(writer_login(place.run(), None, "master")) as connection:
        connection.execute(statement.encode())


def as_owner(place: Place, statement: str) -> None:
    with session(writer_login(place.run(), None, "haven_migrator")) as connection:
        connection.execute("SET ROLE haven_owner")
        connection.execute(statement.encode())


def pointed(place: Place) -> str:
    return content(place, "writer")["username"]


def idle(place: Place) -> str:
    return next(role for role in names.PROXY_ROLES if role != pointed(place))


def test_nothing_is_due_in_a_new_stack(sound: Place) -> None:
    report = rotate(sound, only=["master", "haven_reader"])
    assert (report.steps, report.rotations, report.aws_writes) == ([], [], 0)


def test_every_credential_is_rotated_at_once(sound: Place) -> None:
    before = {login: content(sound, login)["password"] for login in names.LOGIN_ROLES}
    done = rotate(sound, mode="now", wait=10)
    assert {item.credential for item in done.rotations} == set(CREDENTIALS)
    assert all(item.steps == STEPS for item in done.rotations)
    assert all(
        set(item.tested) >= SERVERS and set(item.refused) >= SERVERS for item in done.rotations
    )
    application = [item for item in done.rotations if item.credential == "application"]
    assert [item.turn for item in application] == ["move", "expire"]
    assert all(f"{PREFIX}-proxy" in item.tested for item in application)
    assert all(f"{PREFIX}-proxy" in item.refused for item in application)
    assert all("wrote haven_health." in item.tried for item in application)
    assert pointed(sound) == application[0].role
    assert secret_check(sound.run()).sound
    for login in ("master", *names.LOGIN_ROLES):
        borne = [stage for item in stages(sound, login).values() for stage in item]
        assert sorted(borne) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert all(content(sound, login)["password"] != old for login, old in before.items())
    again = rotate(sound, mode="now", made_before=done.made_before, wait=10)
    assert (again.rotations, again.aws_writes) == ([], 0)


def test_a_dry_run_says_what_would_be_rotated_and_touches_nothing(sound: Place) -> None:
    before = content(sound, "haven_reader")
    report = rotate(sound, mode="now", only=["haven_reader"], dry_run=True)
    assert [(step.verb, step.subject) for step in report.steps] == [
        ("rotate", "credential/haven_reader")
    ]
    assert (report.aws_writes, content(sound, "haven_reader")) == (0, before)


def test_the_status_tells_age_and_the_last_run(
    sound: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal(sound, mode="rollback", only=["haven_reader"], to="nowhere")
    done = rotate(sound, mode="now", only=["haven_reader"])
    seen = status(sound.run())
    (last,) = (it for it in seen.last_runs if it.operation == "rotate-credentials")
    assert (last.outcome, last.evidence) == ("succeeded", done.evidence)
    (reader,) = (it for it in seen.credentials if it.role == "haven_reader")
    assert reader.since is not None
    assert reader.due == reader.since + timedelta(days=30)
    show.status(seen, as_json=False)
    told = capsys.readouterr().out
    assert f"haven_reader: password since {reader.since:%Y-%m-%d}" in told
    assert done.evidence in told


def test_what_applications_may_hold_is_left_alone_but_in_an_emergency(sound: Place) -> None:
    now(sound, "application")
    with long_cache(sound):
        moved = rotate(sound, mode="now", only=["application"])
        assert [item.turn for item in moved.rotations] == ["move"]
        assert list(moved.postponed) == [f"expire {idle(sound)}"]
        error = refusal(sound, mode="now", only=["application"])
        assert isinstance(error, Refused)
        assert f"may hold the password of {idle(sound)} until" in str(error)
        held = content(sound, idle(sound))
        assert rotate(sound, only=["application"]).rotations == []
        done = rotate(sound, mode="emergency", only=["application"]).rotations
    assert [item.turn for item in done] == ["move", "expire"]
    assert held["password"] not in {content(sound, it)["password"] for it in names.PROXY_ROLES}


def test_sessions_of_the_role_that_was_left_are_told_and_ended(sound: Place) -> None:
    role = pointed(sound)
    login = writer_login(sound.run(), None, role, application="an application")
    with long_cache(sound), open_connection(login) as connection:
        (moved,) = rotate(sound, mode="now", only=["application"], wait=10).rotations
        seen = [(it.application, it.count) for it in moved.sessions_after]
        assert connection.execute("SELECT 1").fetchone() == (1,)
        again, _ = rotate(sound, mode="emergency", only=["application"]).rotations
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            connection.execute("SELECT 1")
    assert (moved.left, seen) == (role, [("an application", 1)])
    assert again.ended == 1


def test_sessions_of_the_role_that_was_left_are_ended_when_nobody_may_hold_it(
    sound: Place,
) -> None:
    login = writer_login(sound.run(), None, pointed(sound), application="an application")
    with open_connection(login) as connection:
        _, expired = now(sound, "application")
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            connection.execute("SELECT 1")
    assert expired.ended == 1


def test_an_emergency_ends_the_sessions_of_every_role(sound: Place) -> None:
    login = writer_login(sound.run(), None, "haven_reader", application="a report")
    with open_connection(login) as connection:
        (done,) = rotate(sound, mode="emergency", only=["haven_reader"]).rotations
        assert done.ended == 1
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            connection.execute("SELECT 1")


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


def test_an_emergency_that_is_resumed_ends_sessions_too(sound: Place) -> None:
    killed = rotate(sound, mode="emergency", only=["haven_reader"])
    login = writer_login(sound.run(), None, "haven_reader")
    with open_connection(login) as connection:
        resumed = rotate(
            sound, mode="emergency", only=["haven_reader"], made_before=killed.made_before
        )
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            connection.execute("SELECT 1")
    assert resumed.rotations == []


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


def test_the_migrator_is_left_alone_while_a_migration_is_at_work(sound: Place) -> None:
    login = writer_login(sound.run(), None, "haven_migrator")
    before = content(sound, "haven_migrator")
    moment = {"made_before": datetime.now(UTC).isoformat(), "only": ["haven_migrator"]}
    with run_lock(login, "a migration"):
        report = rotate(sound, **moment)
        with pytest.raises(Conflict, match="Another run is migrating"):
            now(sound, "haven_migrator")
        assert content(sound, "haven_migrator") == before
        (done,) = rotate(sound, mode="emergency", only=["haven_migrator"]).rotations
    (warning,) = report.warnings
    assert warning.startswith("haven_migrator is left for the next run: Another run is migrating")
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


def test_the_pointer_stays_where_the_other_role_may_not_do_the_same(sound: Place) -> None:
    before = pointed(sound)
    as_owner(sound, f"GRANT TRUNCATE ON haven_health.patients TO {before}")
    try:
        with pytest.raises(
            Failed, match=f"TRUNCATE on table haven_health.patients only for {before}"
        ):
            now(sound, "application")
        assert pointed(sound) == before
    finally:
        as_owner(sound, f"REVOKE TRUNCATE ON haven_health.patients FROM {before}")
    assert [item.turn for item in now(sound, "application")] == ["move", "expire"]


def test_going_back_brings_back_secret_and_database(sound: Place) -> None:
    (done,) = now(sound, "haven_reader")
    back = {"mode": "rollback", "only": ["haven_reader"], "to": done.before}
    (undone,) = rotate(sound, **back).rotations
    assert (undone.before, undone.after) == (done.after, done.before)
    assert stages(sound, "haven_reader")[done.before] == ["AWSCURRENT"]
    assert secret_check(sound.run()).sound
    assert rotate(sound, **back).aws_writes == 0
    (after,) = now(sound, "haven_reader")
    assert after.after not in {done.before, done.after}


def test_the_application_goes_back_to_its_other_role(sound: Place) -> None:
    with long_cache(sound):
        before = pointed(sound)
        rotate(sound, mode="emergency", only=["application"])
        back = rotate(sound, mode="rollback", only=["application"], to=before)
    assert pointed(sound) == before
    assert f"{PREFIX}-proxy" in back.rotations[0].tested


def test_the_application_of_the_tutorial_is_never_refused(
    sound: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tutorial = Path(__file__).parents[3] / "docs" / "tutorials" / "read-your-credentials.md"
    code = tutorial.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    for name, value in {
        **environment(sound.run()),
        "AWS_ENDPOINT_URL": sound.settings.endpoint_url or "",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, value)
    application: dict[str, Any] = {}
    exec(code, application)  # noqa: S102  # what readers are told to write
    credentials = application["Credentials"](names.pointer(sound.stack), 0)
    used = []
    for _ in range(2):
        # Haven takes such variables out of its own process.
        monkeypatch.setenv("PGSSLROOTCERT", str(sound.settings.ca_bundle))
        with application["connect"](credentials) as connection:
            used.append(connection.info.user)
        now(sound, "application")
    assert sorted(used) == sorted(names.PROXY_ROLES)


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
