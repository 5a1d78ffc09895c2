"""What pydantic found wrong, in one sentence that fits into one paragraph."""

from __future__ import annotations

from pydantic import ValidationError

SHOWN = 60
# Beyond this many, printing an integer in decimal is refused by Python itself.
MOST_BITS = 256


def explain(error: ValidationError) -> str:
    """Join the findings: field, what is wrong, and the value, unless it is long."""
    findings = []
    for item in error.errors(include_url=False):
        place = printable(".".join(str(part) for part in item["loc"]))
        reason = printable(item["msg"].removeprefix("Value error, "))
        value = item.get("input")
        shown = f" (got {short(value)})" if place and isinstance(value, str | int | float) else ""
        findings.append(f"{place}: {reason}{shown}" if place else reason)
    return "; ".join(findings)


def printable(text: str) -> str:
    """Return text with everything that does not print, line ends too, written as escapes."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def short(value: str | float, length: int = SHOWN) -> str:
    """Return a value as its literal, cut where it is longer than ``length``."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}\u2026"
