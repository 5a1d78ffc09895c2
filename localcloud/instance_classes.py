"""Instance classes: which exist, and the memory and processors formulas reckon with.

Source: the table "Hardware specifications for DB instance classes" of the RDS User Guide,
reduced to the families RDS for PostgreSQL offers. Within a family both grow with the size.
"""

from __future__ import annotations

import re

from localcloud.parameters import Size

_GIB = 1024**3
_PATTERN = re.compile(r"db\.([a-z0-9]+)\.([a-z0-9]+)")
_STEPS = {"large": 2, "xlarge": 4}
_BURST = {
    "micro": (1, 2),
    "small": (2, 2),
    "medium": (4, 2),
    "large": (8, 2),
    "xlarge": (16, 4),
    "2xlarge": (32, 8),
}
_BURST_FAMILIES = {"t3", "t4g"}
# GiB of memory per processor.
_FAMILIES = {
    "m5": 4,
    "m5d": 4,
    "m6g": 4,
    "m6gd": 4,
    "m6i": 4,
    "m6id": 4,
    "m7g": 4,
    "m7i": 4,
    "m8g": 4,
    "r5": 8,
    "r5b": 8,
    "r5d": 8,
    "r6g": 8,
    "r6gd": 8,
    "r6i": 8,
    "r6id": 8,
    "r7g": 8,
    "r7i": 8,
    "r8g": 8,
    "x2g": 16,
    "x2iedn": 32,
}
_MULTIPLES = (2, 4, 8, 12, 16, 24, 32)


def size_of(name: str) -> Size | None:
    """Return the size of a class, or nothing when there is no such class."""
    found = _PATTERN.fullmatch(name)
    if not found:
        return None
    family, step = found[1], found[2]
    if family in _BURST_FAMILIES:
        burst = _BURST.get(step)
        return Size(burst[0] * _GIB, burst[1]) if burst else None
    if family not in _FAMILIES:
        return None
    processors = _STEPS.get(step) or _processors(step)
    return Size(processors * _FAMILIES[family] * _GIB, processors) if processors else None


def _processors(step: str) -> int | None:
    number = step.removesuffix("xlarge")
    if step.endswith("xlarge") and number.isdigit() and int(number) in _MULTIPLES:
        return int(number) * 4
    return None


def known() -> list[str]:
    """Return a useful part of the classes, smallest first within each family."""
    burst = [f"db.{family}.{step}" for family in sorted(_BURST_FAMILIES) for step in _BURST]
    steps = ["large", "xlarge", *[f"{number}xlarge" for number in _MULTIPLES]]
    return burst + [f"db.{family}.{step}" for family in _FAMILIES for step in steps]
