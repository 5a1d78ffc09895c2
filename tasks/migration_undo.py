"""Undoing applied files by their down files, from the newest to a number."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from haven.migrations.files import Migration, read_down, read_folder
from haven.migrations.plan import Entry
from haven.migrations.script import Script
from haven.migrations.undo import plan_undo, read_down_script
from haven.pg import Connection, sql_error
from tasks.kinds import changes
from tasks.ledger import accepted_above, read_ledger
from tasks.migration_files import undo_script
from tasks.migration_session import open_work
from tasks.migration_work import (
    NOTHING,
    Around,
    Terms,
    alone,
    check_drift,
    complete_ledger,
    written_down,
)


@dataclass(frozen=True, slots=True)
class Undone:
    """The down files that a run ran, or would run, newest first, and the hazards they accept.

    ``unlike`` names the file after which the catalogue once was another one than it is now.
    """

    names: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]
    unlike: str = ""


@changes
def undo_migrations(
    terms: Terms,
    folder: Path,
    to: int,
    *,
    accept_drift: str = "",
    around: Around = NOTHING,
    dry_run: bool = False,
) -> Undone:
    """Undo what was applied above a number; with ``dry_run`` only say what that is.

    Raises ``InvalidRequest`` or ``Refused`` before anything runs, for a missing or lossy down
    file too, ``Conflict`` when another run is at work, ``Failed`` naming the statement that cannot
    work, and ``Unavailable`` when the same command, run again, will go on.
    """
    files = read_folder(folder)
    try:
        with contextlib.closing(open_work(terms.login)) as connection:
            scripts = _scripts(files, connection, to)
            seen, unlike = read_ledger(connection), ""
            if not dry_run and (scripts or (seen.entries and not seen.recorded)):
                unlike = _undo(terms, connection, files, to, accept_drift, around)
    except psycopg.Error as error:
        # Without the cause: a run is not tried again by the step, but goes on when run again.
        raise sql_error(error, terms.login.where) from None
    return Undone(
        tuple(script.migration.name for script in scripts),
        tuple(
            tuple(f"{hazard}: {reason}" for hazard, reason in script.headers.accepts)
            for script in scripts
        ),
        unlike,
    )


def _undo(
    terms: Terms,
    connection: Connection,
    files: Sequence[Migration],
    to: int,
    accept_drift: str,
    around: Around,
) -> str:
    """Undo, and return the file that the catalogue is then not like, as far as that is known."""
    with alone(terms, connection) as work:
        scripts = _scripts(files, connection, to)
        seen = read_ledger(connection)
        if scripts:
            around.before(connection, scripts[0])
        check_drift(work, seen, accept_drift)
        complete_ledger(work, seen)
        before = "" if accepted_above(connection, to) else seen.digest_after(to)
        with written_down(work):
            for script in scripts:
                undo_script(work, script)
                terms.progress(f"undone by {script.migration.name}")
        if scripts:
            around.after(work.connection)
        left = read_ledger(connection)
    return left.entries[-1].name if before not in ("", left.digest) else ""


def _scripts(files: Sequence[Migration], connection: Connection, to: int) -> list[Script]:
    """Read what the ledger asks to undo, and hold it against its hazards."""
    entries = read_ledger(connection).entries
    pending = plan_undo(files, entries, _downs(files, entries, to), to)
    scripts = [read_down_script(item) for item in pending]
    if scripts:
        from tasks.lint import lint  # noqa: PLC0415  # it needs the grammar

        lint(files[: len(entries)], scripts, undoing=True)
    return scripts


def _downs(files: Sequence[Migration], entries: Sequence[Entry], to: int) -> dict[int, Migration]:
    applied = {entry.number for entry in entries if entry.number > to}
    found = ((file.number, read_down(file)) for file in files if file.number in applied)
    return {number: down for number, down in found if down is not None}
