"""Credentials get new passwords: proven before they are used, and the old ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flows.endpoints import writer_login
from flows.rotate_credentials import Name
from flows.secret_check import secret_check
from flows.status import environment, status
from haven.cli import show
from haven.errors import Refused
from haven.pg import open_connection
from haven.stack import names
from tests.local.provision.conftest import Place
from tests.local.provision.rotating import (
    PREFIX,
    SERVERS,
    STEPS,
    content,
    idle,
    long_cache,
    make_sound,
    now,
    pointed,
    refusal,
    rotate,
    stages,
    the_stack,
)

pytestmark = pytest.mark.local


@pytest.fixture
def sound(place: Callable[..., Place]) -> Place:
    return make_sound(the_stack(place))


def test_nothing_is_due_in_a_new_stack(sound: Place) -> None:
    report = rotate(sound, only=["master", "haven_reader"])
    assert (report.steps, report.rotations, report.aws_writes) == ([], [], 0)


def test_every_credential_is_rotated_at_once(sound: Place) -> None:
    before = {login: content(sound, login)["password"] for login in names.LOGIN_ROLES}
    done = rotate(sound, mode="now", wait=10)
    assert {item.credential for item in done.rotations} == set(Name)
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


def test_going_back_brings_back_secret_and_database(sound: Place) -> None:
    (done,) = now(sound, "haven_reader")
    back = {"mode": "rollback", "only": ["haven_reader"], "to": done.before}
    (undone,) = rotate(sound, **back).rotations
    assert (undone.before, undone.after) == (done.after, done.before)
    assert stages(sound, "haven_reader")[done.before] == ["AWSCURRENT"]
    assert secret_check(sound.run()).sound
    again = rotate(sound, **back)
    assert (again.steps, again.rotations, again.aws_writes) == ([], [], 0)
    (after,) = now(sound, "haven_reader")
    assert after.after not in {done.before, done.after}


def test_the_application_goes_back_to_its_other_role(sound: Place) -> None:
    with long_cache(sound):
        before = pointed(sound)
        rotate(sound, mode="emergency", only=["application"])
        back = rotate(sound, mode="rollback", only=["application"], to=before)
        assert rotate(sound, mode="rollback", only=["application"], to=before).steps == []
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
    for rotation in (lambda: None, lambda: now(sound, "application")):
        rotation()
        # Haven takes such variables out of its own process.
        monkeypatch.setenv("PGSSLROOTCERT", str(sound.settings.ca_bundle))
        with application["connect"](credentials) as connection:
            used.append(connection.info.user)
    assert sorted(used) == sorted(names.PROXY_ROLES)
