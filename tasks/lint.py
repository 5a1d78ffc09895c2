"""Linting migrations: the rules here, and squawk's, held against what the files accept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from haven.migrations.files import Migration
from haven.migrations.lint.findings import Finding
from haven.migrations.lint.linter import Judged, judge
from haven.migrations.lint.squawk import further
from haven.migrations.lint.undoing import deletions
from haven.migrations.lint.verdict import decide
from haven.migrations.script import Script
from tasks.squawk import remarks


@dataclass(frozen=True, slots=True)
class Linted:
    """Every pending statement, and the hazards in them, all of which their files accept."""

    judged: list[Judged] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def lint(
    applied: Sequence[Migration], pending: Sequence[Script], *, undoing: bool = False
) -> Linted:
    """Judge the statements of pending files, or of those that undo applied ones.

    Raises ``Refused`` naming every hazard that its file does not accept, ``InvalidRequest`` for an
    acceptance that nothing needs.
    """
    # squawk is a process of its own, and works on the other core meanwhile.
    with ThreadPoolExecutor(max_workers=1) as pool:
        remarked = pool.submit(remarks, pending)
        judged = judge(applied, pending)
    found = [finding for item in judged for finding in item.found]
    found += further(remarked.result(), judged)
    if undoing:
        found += [finding for script in pending for finding in deletions(script)]
    found.sort(key=lambda finding: (finding.file, finding.line))
    return Linted(judged, decide(pending, found))
