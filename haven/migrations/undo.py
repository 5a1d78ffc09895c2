"""Which files are to be undone, newest first, or the reason to refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from haven.errors import Refused
from haven.migrations.files import UNTOUCHED, Migration, wrong
from haven.migrations.plan import DONE, Entry, Pending, plan_migrations
from haven.migrations.script import Script, read_script


def plan_undo(
    files: Sequence[Migration],
    ledger: Sequence[Entry],
    downs: Mapping[int, Migration],
    to: int,
) -> tuple[Pending, ...]:
    """Return the down files of all that was applied above a number, newest first.

    ``downs`` has the down files by number. Raises ``Refused`` when the database is older than
    that, when a file is half applied, or when a down file is missing, naming every one.
    """
    plan_migrations(files, ledger)
    newest = max((entry.number for entry in ledger), default=0)
    if to > newest:
        raise Refused(
            f"The database is at number {newest}, so there is nothing above {to} to undo.",
            left=UNTOUCHED,
            cure="To apply files, run migrate without the parameter 'to'.",
        )
    gone = sorted((item for item in ledger if item.number > to), key=lambda item: -item.number)
    _check_whole(gone)
    _check_downs(gone, downs)
    return tuple(Pending(downs[entry.number], chained="") for entry in gone)


def read_down_script(pending: Pending) -> Script:
    """Parse a down file. Raises as ``read_script`` does, and for one without a transaction."""
    script = read_script(pending)
    if not script.headers.transactional:
        raise wrong(
            script.migration.name,
            "it is non-transactional, and a file is undone whole or not at all",
            "Remove the header; what cannot run in a transaction is undone by a new file.",
        )
    return script


def _check_whole(entries: Sequence[Entry]) -> None:
    for entry in entries:
        if entry.state != DONE:
            raise Refused(
                f"{entry.name}: {entry.statements_done} of its statements are applied, and not "
                "the others, so no down file fits it.",
                left=UNTOUCHED,
                cure="Let migrate finish it first.",
            )


def _check_downs(entries: Sequence[Entry], downs: Mapping[int, Migration]) -> None:
    missing = [entry.name for entry in entries if entry.number not in downs]
    if missing:
        wanted = ", ".join(f"{name.removesuffix('.sql')}.down.sql" for name in missing)
        raise Refused(
            f"What undoes these files is missing: {wanted}.",
            left=UNTOUCHED,
            cure="Write them, or restore the database to a point in time before those files.",
        )
