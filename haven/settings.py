"""How to reach things: environment variables with the prefix ``HAVEN_`` and a ``.env`` file.

What should exist is a stack (``haven.stack``); secrets are neither here nor there.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from haven.errors import InvalidRequest, Unavailable
from haven.findings import explain

PROJECT = Path(__file__).resolve().parent.parent
PREFIX = "HAVEN_"
ENDPOINT_OVERRIDE = "AWS_ENDPOINT_URL"
CONNECT_SECONDS = 5.0
LAST_PORT = 65535
LOOPBACK = re.compile(
    r"http://(localhost|(?P<ipv4>127\.[0-9]+\.[0-9]+\.[0-9]+)|\[::1\])(:(?P<port>[0-9]{1,5}))?/?"
)
# How near a name must come to one of ours to be taken for a misspelt one, or to name ours.
LOOK_ALIKE = 0.9
SUGGESTED = 0.75

Cloud = Literal["aws", "local"]


def default_local_data() -> Path:
    """Return the folder in which the local cloud keeps its data unless told otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/haven-localcloud")
    state = os.environ.get("XDG_STATE_HOME")  # noqa: TID251  # this module reads the environment
    return (Path(state) if state else Path.home() / ".local" / "state") / "haven-localcloud"


class Settings(BaseSettings):
    """Settings of one process. Seconds everywhere, unless a name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        # "export HAVEN_LOCAL_DATA=" unsets it; it does not name the folder one stands in.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
    )

    stack: str = Field("local", description="Name of a stack file, or the path of one.")
    cloud: Cloud = Field("local", description="Where the stack lives: aws or local.")
    endpoint_url: str | None = Field(
        None, description="Local cloud only: its address. Found by itself when it runs."
    )
    ca_bundle: Path | None = Field(
        None, description="Certificates that database servers are verified against."
    )
    local_data: Path = Field(
        default_factory=default_local_data,
        description="Folder of the local cloud on this machine.",
    )
    stacks_dir: Path = Field(PROJECT / "deployments" / "stacks", description="Stack files.")
    schema_dir: Path = Field(PROJECT / "schema", description="Migration files.")
    poll_interval: float | None = Field(
        None, gt=0, le=300, description="Between two looks at a resource (aws 15, local 0.05)."
    )
    wait_limit: float | None = Field(
        None, gt=0, description="Longest wait for one resource (aws 3600, local 120)."
    )
    request_timeout: float = Field(
        60, ge=1, le=600, description="Longest wait for one answer of AWS or PostgreSQL."
    )
    load_password: SecretStr | None = Field(
        None, description="Password of the login that 'haven export load' loads with."
    )
    lock_lease: float = Field(60, gt=0, le=3600, description="Life of a lock without renewal.")
    lock_timeout: float = Field(2, gt=0, le=60, description="PostgreSQL lock_timeout of DDL.")
    parallel: int = Field(32, ge=1, le=64, description="Steps at work at the same time.")

    @model_validator(mode="after")
    def _guard_endpoint(self) -> Self:
        if self.cloud == "aws" and self.endpoint_url:
            raise ValueError(
                "endpoint_url is set, but cloud is aws, which is reached at its own "
                "addresses only: unset it, or set HAVEN_CLOUD=local"
            )
        if self.cloud == "local" and self.endpoint_url and not is_loopback(self.endpoint_url):
            raise ValueError(
                f"endpoint_url {without_user(self.endpoint_url)!r} is not a loopback address: the local "
                "cloud is reached on this machine only, for example http://127.0.0.1:4566"
            )
        return self

    @property
    def interval(self) -> float:
        """Seconds between two looks at a resource."""
        if self.poll_interval is not None:
            return self.poll_interval
        return 15.0 if self.cloud == "aws" else 0.05

    @property
    def deadline(self) -> float:
        """Seconds that a resource may take to get where it should be."""
        if self.wait_limit is not None:
            return self.wait_limit
        return 3600.0 if self.cloud == "aws" else 120.0


class LocalCloud(BaseModel):
    """What a running local cloud writes about itself."""

    endpoint_url: str
    ca_bundle: Path

    @field_validator("endpoint_url")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        if not is_loopback(value):
            raise ValueError("it is not a loopback address")
        return value


def is_loopback(url: str) -> bool:
    """Tell whether a URL is plain HTTP to this machine's loopback interface, and nothing else.

    Other spellings of an address are refused, as programs read them differently.
    """
    match = LOOPBACK.fullmatch(url)
    if match is None or int(match["port"] or 0) > LAST_PORT:
        return False
    try:
        return not match["ipv4"] or ipaddress.IPv4Address(match["ipv4"]).is_loopback
    except ValueError:
        return False


def without_user(url: str) -> str:
    """Return a URL without the name and the password that may stand in it."""
    return re.sub(r"//.*@", "//…@", url)


def load_settings(**given: Any) -> Settings:
    """Read the settings; ``given`` wins over the environment, which wins over ``.env``.

    Raises ``InvalidRequest`` naming each wrong field, also for a variable that is no field.
    """
    refuse_unknown_names()
    try:
        settings = Settings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        raise InvalidRequest(
            f"The settings are wrong: {explain(error)}.",
            left="Nothing was touched.",
            cure="Settings are environment variables named HAVEN_…, or lines of .env.",
        ) from None
    if settings.cloud == "aws":
        refuse_endpoint_overrides()
    return settings


def environment_names() -> Iterable[str]:
    """Return the names of all environment variables and of the lines in ``.env``."""
    yield from os.environ  # noqa: TID251  # this module reads the environment
    for line in _env_file().splitlines():
        name = line.split("=", 1)[0].strip().removeprefix("export ").strip(" \t'\"")
        if name and not name.startswith("#"):
            yield name


def _env_file() -> str:
    path = Path(".env")
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not UTF-8 at byte {error.start}"
        raise InvalidRequest(
            f"The settings in {path.absolute()} cannot be read: {why}.",
            left="Nothing was touched.",
            cure="Mend the file, or take it away.",
        ) from None


def refuse_unknown_names() -> None:
    """Refuse a variable that is meant for us but is no setting: it must not pass silently."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environment_names():
        if name.upper() in known:
            continue
        plain = name.upper().replace("-", "_")
        ours = plain.startswith(PREFIX)
        cutoff = SUGGESTED if ours else LOOK_ALIKE
        near = difflib.get_close_matches(plain, known, n=1, cutoff=cutoff)
        if near or ours:
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."
            raise InvalidRequest(
                f"{ascii(name)[1:-1]} is set, but there is no such setting.",
                left="Nothing was touched.",
                cure=hint,
            )


def refuse_endpoint_overrides() -> None:
    """Refuse to talk to AWS while something redirects its endpoints."""
    for name in environment_names():
        if name.upper().startswith(ENDPOINT_OVERRIDE):
            raise InvalidRequest(
                f"{name} redirects AWS endpoints, and cloud is aws.",
                left="Nothing was touched.",
                cure=f"Unset {name}, or set HAVEN_CLOUD=local.",
            )


def running_local_cloud(settings: Settings) -> Settings:
    """Fill in endpoint and certificates of the local cloud that runs on this machine."""
    if settings.cloud != "local" or (settings.endpoint_url and settings.ca_bundle):
        return settings
    record = settings.local_data / "cloud.json"
    try:
        found = LocalCloud.model_validate_json(record.read_bytes())
    except OSError as error:
        raise _no_local_cloud(f"{record}: {error.strerror}") from None
    except ValidationError as error:
        raise _no_local_cloud(f"{record} is not what it writes ({explain(error)})") from None
    parts = urlsplit(found.endpoint_url)
    try:
        socket.create_connection((parts.hostname, parts.port or 80), CONNECT_SECONDS).close()
    except OSError as error:
        raise _no_local_cloud(f"{found.endpoint_url}: {error.strerror or error}") from None
    changes: dict[str, Any] = {
        "endpoint_url": settings.endpoint_url or found.endpoint_url,
        "ca_bundle": settings.ca_bundle or found.ca_bundle,
    }
    return settings.model_copy(update=changes)


def _no_local_cloud(why: str) -> Unavailable:
    return Unavailable(
        f"No local cloud is running: {why}.",
        left="Nothing was touched.",
        cure="Start it with 'haven up' in another terminal, or set HAVEN_ENDPOINT_URL "
        "and HAVEN_CA_BUNDLE.",
    )
