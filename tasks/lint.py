"""Linting migrations: the rules here, and squawk's, held against what the files accept."""

from __future__ import annotations

from collections.abc import Sequence

from haven.migrations.files import Migration
from haven.migrations.lint.findings import Finding
from haven.migrations.lint.linter import judge
from haven.migrations.lint.squawk import further
from haven.migrations.lint.verdict import decide
from haven.migrations.script import Script
from tasks.squawk import remarks


def lint(applied: Sequence[Migration], pending: Sequence[Script]) -> list[Finding]:
    """Return the hazards in pending files, all of them accepted.

    Raises ``Refused`` naming every one that they do not, ``InvalidRequest`` for an acceptance
    that nothing needs.
    """
    judged = judge(applied, pending)
    found = [finding for item in judged for finding in item.found]
    found += further(remarks(pending), judged)
    found.sort(key=lambda finding: (finding.file, finding.line))
    return decide(pending, found)
