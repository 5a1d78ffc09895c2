"""Asking squawk, the linter of migrations, for its opinion."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haven.errors import Failed
from haven.migrations.lint.squawk import Remark
from haven.migrations.script import Script

LIMIT = 120
OLDEST = "15.0"
PROBLEMS = 1


def remarks(scripts: Sequence[Script]) -> list[Remark]:
    """Return what squawk says of files. Raises ``Failed`` when it cannot be asked."""
    inside = [script for script in scripts if script.headers.transactional]
    outside = [script for script in scripts if not script.headers.transactional]
    return [*_ask(inside, "--assume-in-transaction"), *_ask(outside)]


def _ask(scripts: Sequence[Script], *options: str) -> list[Remark]:
    if not scripts:
        return []
    names = {str(script.migration.path): script.migration.name for script in scripts}
    # A configuration in the working directory would change what is asked.
    fixed = ["--reporter", "json", "--pg-version", OLDEST, "--config", os.devnull]
    said = _run([str(_program()), *fixed, *options, *names])
    return [
        Remark(
            names[item["file"]],
            item["line"] + 1,
            item["rule_name"],
            item["message"],
            item["help"] or "",
        )
        for item in said
    ]


def _run(command: list[str]) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(  # noqa: S603  # a program of ours, and paths of files
            command, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        if done.returncode > PROBLEMS:
            raise _failed(f"it ended with {done.returncode}")
        said: list[dict[str, Any]] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _failed(type(error).__name__) from None
    return said


def _failed(why: str) -> Failed:
    return Failed(
        f"squawk, which reads migrations before they run, could not be asked: {why}.",
        left="Nothing was touched.",
        cure="Install Haven's locked requirements again.",
    )


def _program() -> Path:
    return Path(sysconfig.get_path("scripts")) / "squawk"
