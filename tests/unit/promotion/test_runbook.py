"""The runbook says what the flow does, and its commands are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from haven.cli.operations import OPERATIONS, parameters_of
from haven.promotion.choice import Mode
from haven.promotion.steps import WHAT

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "disaster-recovery.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"haven run [^`\n]+", TEXT)))


def test_the_steps_are_those_of_the_flow() -> None:
    table = re.findall(
        r"^\| (\w+) \| (.+) \|$", TEXT.split("## What a promotion does")[1], re.MULTILINE
    )
    assert dict(table[1 : len(WHAT) + 1]) == {str(step): text for step, text in WHAT.items()}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    _, _, name, *rest = shlex.split(command)
    _, model = OPERATIONS[name].load()
    given = [word for word in rest if word != "--param"]
    parameters_of(model, given)


def test_every_mode_has_its_place() -> None:

    assert [mode for mode in Mode if f"mode={mode}" not in TEXT] == []
