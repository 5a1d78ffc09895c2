"""The verdict on a backup: every check with what it found, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    # What was to be looked at is not there, as in a database of somebody else's.
    NOTHING = "nothing to check"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a restored copy; ``found`` says what was seen, or each thing that is wrong."""

    name: str
    outcome: Outcome
    found: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Say it on a line."""
        return f"{self.name}: {self.outcome}" + (
            f" ({'; '.join(self.found)})" if self.found else ""
        )


def passed(name: str, *found: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name, Outcome.PASSED, found)


def failed(name: str, *found: str) -> Check:
    """Return a check that found something wrong."""
    return Check(name, Outcome.FAILED, found)


def judged(name: str, wrong: Sequence[str], *found: str) -> Check:
    """Return a check by what is wrong, if anything is."""
    return failed(name, *wrong) if wrong else passed(name, *found)


def version_check(copy: str, source: str) -> Check:
    """Judge the engine: a restore keeps the version of its source."""
    wrong = [] if copy == source else [f"the copy is PostgreSQL {copy}, its source {source}"]
    return judged("version", wrong, copy)


class Verdict(StrEnum):
    """What a backup is worth."""

    VERIFIED = "verified"
    # Everything that was looked at is right, but nothing is known of its content at that time.
    CONTENT_UNKNOWN = "content unknown"
    NOT_GOOD = "not good"


def verdict(checks: Sequence[Check], *, content_known: bool) -> Verdict:
    """Judge all checks together. No check at all proves nothing."""
    if not checks or any(check.outcome is Outcome.FAILED for check in checks):
        return Verdict.NOT_GOOD
    return Verdict.VERIFIED if content_known else Verdict.CONTENT_UNKNOWN
