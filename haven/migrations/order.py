"""Numbers without gaps and without duplicates, and the chain of checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

from haven.migrations.files import Migration, wrong

FIRST = "0" * 64


def check_order(migrations: Sequence[Migration]) -> None:
    """Raise ``InvalidRequest`` unless the numbers are 1, 2, 3, … with one file each.

    The sequence is sorted, as ``read_folder`` returns it.
    """
    if migrations and migrations[0].number == 0:
        raise wrong(
            migrations[0].name, "the number is 0, and numbers begin at 1", "Rename the file."
        )
    for one, next_one in pairwise(migrations):
        if one.number == next_one.number:
            raise wrong(
                next_one.name,
                f"the number {one.number} is a duplicate: {one.name} has it too",
                "Give the newer of the two the next free number.",
            )
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise wrong(
                migration.name,
                f"there is a gap before it: number {expected} is missing",
                f"Bring back the file with number {expected}, or renumber what was never applied.",
            )


def chained(checksums: Iterable[str]) -> list[str]:
    """Return for each checksum the SHA-256 over it and the chain before it.

    So the last one stands for all files: their content and their order.
    """
    chain: list[str] = []
    before = FIRST
    for checksum in checksums:
        before = hashlib.sha256(f"{before}{checksum}".encode()).hexdigest()
        chain.append(before)
    return chain
