"""``haven adopt``: show what was found, ask, and set the tags after a yes."""

from __future__ import annotations

import sys
from typing import Any

from haven.cli import show

CHANGES = 2
DECLINED = 1


def run_adopt(run: Any, *, confirm: str, dry_run: bool, json: bool) -> int:
    """Adopt a stack; without ``confirm`` a person at a terminal is asked.

    Returns 0 when the stack is ours, 2 when a dry run found tags to set, 1 after a no.
    """
    from flows import adopt  # noqa: PLC0415  # imported late, as every operation

    adoption = adopt.look(run)
    if not json or dry_run:
        show.adoption(adopt.report_of(run, adoption, dry_run=True), as_json=json)
    if dry_run:
        return CHANGES if adoption.plan.steps else 0
    typed = confirm
    if adoption.plan.steps and not confirm and sys.stdin.isatty():
        if not _agreed(len(adoption.plan.steps)):
            show.error("Nothing was touched.")
            return DECLINED
        typed = run.loaded.stack.prefix
    report = adopt.take_over(run, adoption, adopt.AdoptParameters(dry_run=False, confirm=typed))
    if json:
        show.adoption(report, as_json=True)
    else:
        show.line(
            f"adopt {report.stack}: {len(report.steps)} tagged, {report.evidence or 'no'} evidence."
        )
    return 0


def _agreed(count: int) -> bool:
    show.error(f"Set these tags on {count} resources, and change nothing else? [yes/no]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
