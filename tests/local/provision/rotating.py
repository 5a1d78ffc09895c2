"""What tests of rotations do to a stack of their own, and what they look at."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flows.endpoints import writer_login
from flows.migrate import MigrateParameters, migrate
from flows.rotate_credentials import RotateParameters, rotate_credentials
from flows.rotation_report import RotateReport, Rotation
from flows.secret_check import secret_check
from haven.errors import HavenError
from haven.pg import session
from haven.stack import names
from tests.local.provision.conftest import Place

PREFIX = "haven-tests-rotation"
SERVERS = {f"{PREFIX}-primary", f"{PREFIX}-replica-1", f"{PREFIX}-dr"}
STEPS = ["create", "set", "test", "finish"]
BRIEF, LONG = "cache_seconds = 0\ngrace_seconds = 0\n", "cache_seconds = 600\n"


@functools.cache
def the_stack(place: Callable[..., Place]) -> Place:
    """Make the stack of these tests once: it has tables, and its clients keep nothing."""
    stack = place("rotation", sections=f"[secrets]\n{BRIEF}")
    stack.provision()
    migrate(stack.run(), MigrateParameters())
    return stack


def make_sound(stack: Place) -> Place:
    """Return the stack with all its credentials as they should be."""
    if not secret_check(stack.run()).sound:
        stack.provision()
        assert secret_check(stack.run()).sound
    return stack


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
