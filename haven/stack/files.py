"""Finding and reading stack files."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from haven.errors import InvalidRequest
from haven.findings import explain, printable, short
from haven.stack.model import Stack

PATH_SHOWN = 300


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
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        known = ", ".join(sorted(item.stem for item in folder.glob("*.toml"))) or "none"
        raise InvalidRequest(
            f"The stack {short(name)} cannot be read: {why} ({short(str(path), PATH_SHOWN)}).",
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
        raise _wrong(path, f"it is not TOML: {printable(str(error))}") from None
    except ValidationError as error:
        raise _wrong(path, explain(error)) from None
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"it is not TOML that anybody would write: {error}") from None


def _wrong(path: Path, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"The stack file {printable(str(path))} is wrong: {reason}.",
        left="Nothing was touched.",
        cure="Mend the entries named; 'haven stack check' reads it again.",
    )
