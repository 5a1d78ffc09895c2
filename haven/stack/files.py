"""Finding and reading stack files."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from haven.errors import InvalidRequest
from haven.stack.model import Stack


@dataclass(frozen=True, slots=True)
class LoadedStack:
    """A stack, where it came from, and the SHA-256 of the file, which evidence records."""

    stack: Stack
    path: Path
    digest: str


def load_stack(name: str, folder: Path) -> LoadedStack:
    """Read a stack by name (``<folder>/<name>.toml``) or by the path of a TOML file.

    Raises ``InvalidRequest`` naming each wrong entry.
    """
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    try:
        data = path.read_bytes()
    except OSError as error:
        known = ", ".join(sorted(item.stem for item in folder.glob("*.toml"))) or "none"
        raise InvalidRequest(
            f"The stack {name!r} cannot be read: {error.strerror} ({str(path)!r}).",
            left="Nothing was touched.",
            cure=f"Known stacks: {known}; or give the path of a .toml file.",
        ) from None
    return LoadedStack(_parse(data, path), path, hashlib.sha256(data).hexdigest())


def _parse(data: bytes, path: Path) -> Stack:
    try:
        return Stack.model_validate(tomllib.loads(data.decode("utf-8")), strict=False)
    except UnicodeDecodeError as error:
        raise _wrong(path, f"it is not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(path, f"it is not TOML: {error}") from None
    except ValidationError as error:
        raise _wrong(path, "; ".join(_finding(error))) from None
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"it is not TOML that anybody would write: {error}") from None


def _finding(error: ValidationError) -> list[str]:
    findings = []
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"])
        reason = item["msg"].removeprefix("Value error, ")
        value = item.get("input")
        got = f" (got {value!r})" if isinstance(value, str | int | float) else ""
        findings.append(f"{place}: {reason}{got}" if place else reason)
    return findings


def _wrong(path: Path, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"The stack file {path} is wrong: {reason}.",
        left="Nothing was touched.",
        cure="Mend the entries named; 'haven stack check' reads it again.",
    )
