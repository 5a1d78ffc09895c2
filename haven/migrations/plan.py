"""What is still to run: the files held against the ledger, or the reason to refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haven.errors import Refused
from haven.migrations.files import UNTOUCHED, Migration
from haven.migrations.order import chained, check_order

DONE = "done"
RUNNING = "running"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger, as far as the plan needs it.

    ``state`` is ``done``, or for a non-transactional file that is under way ``running`` (also
    after a crash) or ``failed``. ``done_digest`` covers the statements that are done, ``catalogue``
    the whole database, where a run ended with this file. ``last_key`` is the key up to which a
    backfill has come, as a JSON array of texts; empty before its first batch.
    """

    number: int
    name: str
    checksum: str
    chained: str
    state: str = DONE
    statements_done: int = 0
    done_digest: str = ""
    catalogue: str = ""
    last_key: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that is to run, its chained checksum, and its ledger row if it was begun."""

    migration: Migration
    chained: str
    begun: Entry | None = None


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """How many files are applied, and which are to run, in order."""

    already: int
    pending: tuple[Pending, ...]


def plan_migrations(files: Sequence[Migration], ledger: Sequence[Entry]) -> MigrationPlan:
    """Compare files and ledger; return what is to run.

    Raises ``InvalidRequest`` for a wrong order of files, and ``Refused`` where the files and
    the history of the database contradict each other.
    """
    check_order(files)
    by_number = {entry.number: entry for entry in ledger}
    _check_none_missing(files, ledger)
    newest = max(by_number, default=0)
    links = chained(file.checksum for file in files)
    pending = []
    for migration, link in zip(files, links, strict=True):
        entry = by_number.get(migration.number)
        if entry is None:
            _check_newer(migration, newest, by_number)
            pending.append(Pending(migration, link))
        elif entry.state == DONE:
            _check_same(migration, link, entry)
        else:
            _check_name(migration, entry)
            _check_batches(migration, entry)
            pending.append(Pending(migration, link, entry))
    return MigrationPlan(len(files) - len(pending), tuple(pending))


def _check_none_missing(files: Sequence[Migration], ledger: Sequence[Entry]) -> None:
    numbers = {file.number for file in files}
    for entry in ledger:
        if entry.number not in numbers:
            raise Refused(
                f"{entry.name}: it was applied to this database, and the file is missing.",
                left=UNTOUCHED,
                cure="Bring the file back from version control; the database may also be newer "
                "than this checkout.",
            )


def _check_newer(migration: Migration, newest: int, ledger: Mapping[int, Entry]) -> None:
    if migration.number < newest:
        raise Refused(
            f"{migration.name}: it is older than {ledger[newest].name}, which is applied, but was "
            "never applied itself.",
            left=UNTOUCHED,
            cure="Give it the next free number, so that every database runs it in the same place.",
        )


def _check_name(migration: Migration, entry: Entry) -> None:
    if migration.name != entry.name:
        raise Refused(
            f"{migration.name}: number {entry.number} was applied under the name {entry.name}.",
            left=UNTOUCHED,
            cure=f"Rename it back to {entry.name}; a new file takes the next free number.",
        )


def _check_batches(migration: Migration, entry: Entry) -> None:
    if entry.last_key and migration.checksum != entry.checksum:
        raise Refused(
            f"{migration.name}: it was edited while its rows are being filled in batches, and those "
            "before were filled by the text as it was.",
            left=UNTOUCHED,
            cure="Bring that text back and let it finish; a new file can fill the rows again.",
        )


def _check_same(migration: Migration, link: str, entry: Entry) -> None:
    _check_name(migration, entry)
    if migration.checksum != entry.checksum:
        raise Refused(
            f"{migration.name}: it was edited after it was applied (SHA-256 "
            f"{entry.checksum[:12]}… then, {migration.checksum[:12]}… now).",
            left=UNTOUCHED,
            cure="Bring back the text that was applied, and put the change into a new file.",
        )
    if link != entry.chained:
        raise Refused(
            f"{migration.name}: the chain of checksums in haven_ops.migrations does not lead to "
            "it, so the ledger was changed by hand.",
            left=UNTOUCHED,
            cure="Find out from the evidence records who changed the ledger, and restore it.",
        )
