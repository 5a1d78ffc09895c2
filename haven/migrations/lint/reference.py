"""The reference of hazards: ``python -m haven.migrations.lint.reference`` prints it."""

from __future__ import annotations

import sys

from haven.migrations.lint.hazards import HAZARDS

HEAD = """# Hazards of migrations

Printed by `python -m haven.migrations.lint.reference`; a test holds this page to it.

A file takes one on with a header: `-- haven: accepts NAME: REASON`. On a table that the same run
makes, what blocks or loses rows is none. What squawk finds besides has the names of
[its rules](https://squawkhq.com/docs/rules), and is accepted in the same way.

| name | what happens | the safe way |
|---|---|---|
"""
NEVER = " **Cannot be accepted.**"


def page() -> str:
    """Return the page."""
    rows = [
        f"| `{hazard.name}` | {hazard.effect.format(subject='*it*')} | "
        f"{hazard.cure.rstrip(':.')}.{'' if hazard.acceptable else NEVER} |\n"
        for hazard in sorted(HAZARDS.values(), key=lambda hazard: hazard.name)
    ]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
