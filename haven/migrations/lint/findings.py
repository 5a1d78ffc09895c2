"""Hazards and findings: what a statement blocks, loses or lays open, and the safe way to write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from haven.migrations.lint.known import Known


@dataclass(frozen=True, slots=True)
class Hazard:
    """A kind of danger.

    ``effect`` says what is blocked, lost or laid open, and for how long; it speaks of the
    ``{subject}``. ``cure`` says how the same is reached safely. What cannot work on RDS at all
    is not ``acceptable``: no header lets it through.
    """

    name: str
    effect: str
    cure: str
    acceptable: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """A hazard in one statement: by name, what it concerns, and SQL to paste instead."""

    hazard: str
    subject: str
    paste: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """A hazard at its place."""

    file: str
    line: int
    hazard: Hazard
    subject: str
    paste: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """Say it in a paragraph, with the safe way below."""
        effect = self.hazard.effect.format(subject=self.subject)
        lines = [f"{self.file}:{self.line}: {self.hazard.name}: {effect} {self.hazard.cure}"]
        lines += [f"    {line}" for line in self.paste.splitlines()]
        return "\n".join(lines)


# What one statement holds, given what is known of the schema before it.
Rule = Callable[[Any, Known], Iterator[Found]]
