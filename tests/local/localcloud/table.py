"""The table of conformance: what AWS does, where that is written, and what checks it.

Run as a module, it writes the table into the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.local.localcloud.errors import refusal

DOCUMENT = Path(__file__).parents[3] / "docs" / "explanation" / "local-cloud-conformance.md"
Confidence = Literal["documented", "modelled", "recalled"]
Check = Callable[[Any, str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour of AWS. ``check`` is a function of a cloud and an unused name, or a test."""

    id: str
    behaviour: str
    source: str
    confidence: Confidence
    check: Check | str

    @property
    def checked_by(self) -> str:
        """Where the check is found."""
        return self.check if isinstance(self.check, str) else "test_conformance"


def refuses(service: str, operation: str, code: str, **given: Any) -> Check:
    """Return a check that a call is refused with a code; ``NAME`` in a value is the unused name."""

    def check(cloud: Any, name: str) -> None:
        call = getattr(cloud.client(service), operation)
        found, message = refusal(call, **{key: _named(given[key], name) for key in given})
        assert found == code, message

    return check


def _named(value: Any, name: str) -> Any:
    return value.replace("NAME", name) if isinstance(value, str) else value


_HEAD = """\
# What the local cloud does as AWS does

Each row is checked against a running local cloud. *Documented*: AWS's guides or API reference say so; *modelled*: the code is in
the service's API model; *recalled*: known from use, with no page at hand. This page is written by
`python -m tests.local.localcloud.table`; a test compares it with the table.

| Row | AWS | Source | Confidence | Checked by |
|---|---|---|---|---|
"""


def rendered(rows: list[Row]) -> str:
    """Return the page of the documentation."""
    lines = [
        f"| {row.id} | {row.behaviour} | {row.source} | {row.confidence} | `{row.checked_by}` |"
        for row in rows
    ]
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    from tests.local.localcloud.rows import ROWS

    DOCUMENT.write_text(rendered(ROWS))
