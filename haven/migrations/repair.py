"""Replacing the checksum of an applied file that was edited, and the chain from there on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haven.errors import InvalidRequest, Refused
from haven.migrations.files import UNTOUCHED, Migration
from haven.migrations.order import chained
from haven.migrations.plan import DONE, Entry


@dataclass(frozen=True, slots=True)
class Repair:
    """A new checksum of one row, and the chained checksums of that row and those after it."""

    entry: Entry
    checksum: str
    links: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """Say it on one line."""
        return (
            f"repair {self.entry.name}: SHA-256 {self.entry.checksum[:12]}… -> "
            f"{self.checksum[:12]}…"
        )


def plan_repair(files: Sequence[Migration], ledger: Sequence[Entry], name: str) -> Repair | None:
    """Return how the ledger takes a file as it is now; none where it already does.

    Raises ``InvalidRequest`` for a file that is not there, ``Refused`` for one that is not
    applied, or when the ledger's own chain is broken.
    """
    file = next((item for item in files if item.name == name), None)
    if file is None:
        raise InvalidRequest(
            f"The migration folder holds no file {name!a}.",
            left=UNTOUCHED,
            cure="Give the whole name of one file, such as 0007_add_visits.sql.",
        )
    entry = next((item for item in ledger if item.name == name), None)
    if entry is None or entry.state != DONE:
        raise Refused(
            f"{name}: it is not applied to this database, so its checksum binds nobody.",
            left=UNTOUCHED,
            cure="Run migrate, which takes it as it is.",
        )
    if [item.chained for item in ledger] != chained(item.checksum for item in ledger):
        raise Refused(
            "The chain of checksums in haven_ops.migrations is broken, so the ledger was changed "
            "by hand.",
            left=UNTOUCHED,
            cure="Find out from the evidence records who changed the ledger, and restore it.",
        )
    if file.checksum == entry.checksum:
        return None
    links = chained(file.checksum if item is entry else item.checksum for item in ledger)
    numbered = zip((item.number for item in ledger), links, strict=True)
    return Repair(entry, file.checksum, tuple(item for item in numbered if item[0] >= entry.number))
