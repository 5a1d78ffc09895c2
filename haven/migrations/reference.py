"""What of the documentation is printed from the code: ``python -m haven.migrations.reference``."""

from __future__ import annotations

import argparse
import sys

from haven.migrations.headers import FORMS
from haven.migrations.lint.hazards import HAZARDS

HEADERS_HEAD = "| header | meaning |\n|---|---|\n"
HAZARDS_HEAD = """# Hazards of migrations

Printed by `python -m haven.migrations.reference hazards`; a test holds this page to it.

A file takes one on with a header: `-- haven: accepts NAME: REASON`. On a table that the same run
makes, what blocks or loses rows is none. What squawk finds besides has the names of
[its rules](https://squawkhq.com/docs/rules), and is accepted in the same way.

| name | what happens | the safe way |
|---|---|---|
"""
NEVER = " **Cannot be accepted.**"


def headers() -> str:
    """Return the table of headers in ``schema/FORMATS.md``."""
    rows = [
        f"| `-- haven: {word}{' ' if form.example else ''}{form.example}` | {form.meaning} |\n"
        for word, form in FORMS.items()
    ]
    return HEADERS_HEAD + "".join(rows)


def hazards() -> str:
    """Return the page of hazards."""
    rows = [
        f"| `{hazard.name}` | {hazard.effect.format(subject='*it*')} | "
        f"{hazard.cure.rstrip(':.')}.{'' if hazard.acceptable else NEVER} |\n"
        for hazard in sorted(HAZARDS.values(), key=lambda hazard: hazard.name)
    ]
    return HAZARDS_HEAD + "".join(rows)


PAGES = {"headers": headers, "hazards": hazards}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m haven.migrations.reference")
    parser.add_argument("page", choices=sorted(PAGES))
    sys.stdout.write(PAGES[parser.parse_args().page]())
