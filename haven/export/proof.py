"""Which tables of an export are loaded back to prove it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum

GIB = 1024**3
# Rows in a database take more room than the export of them says, and WAL besides.
ROOM = 3
SMALLEST_GIB = 20


class ReadBack(StrEnum):
    """How much of an export is loaded back."""

    SAMPLE = "sample"
    EVERYTHING = "everything"


def chosen(sizes: Mapping[str, int], budget: int, seed: int) -> list[str]:
    """Choose tables by chance, the same for the same seed, of at most ``budget`` bytes together.

    ``sizes`` are bytes in the database. Where all are larger, it is the smallest one.
    """
    names = sorted(sizes)
    random.Random(seed).shuffle(names)  # noqa: S311  # a seeded choice, not a secret
    found: list[str] = []
    for name in names:
        if sizes[name] <= budget:
            found.append(name)
            budget -= sizes[name]
    return sorted(found) or sorted(names, key=lambda name: sizes[name])[:1]


def room(sizes: Mapping[str, int], names: list[str]) -> int:
    """Return the GiB of an instance that tables are loaded into."""
    wanted = sum(sizes[name] for name in names) * ROOM // GIB
    return max(SMALLEST_GIB, wanted)
