"""A baseline: a database that was migrated by other means is taken over, once it is proved to be what files make."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psycopg

from haven.migrations.baseline import check_same, plan_baseline
from haven.migrations.catalogue import Catalogue, compare, digest_of
from haven.migrations.files import UNTOUCHED, read_folder
from haven.migrations.plan import Pending
from haven.migrations.script import Script, read_script
from haven.pg import Login, sql_error
from haven.sql import QUERIES
from tasks.catalogue import read_live, record_catalogue
from tasks.kinds import changes
from tasks.ledger import add_event, make_ledger, read_ledger
from tasks.migration_files import apply_script
from tasks.migration_session import Work, open_work
from tasks.migration_work import Terms, alone, changed_meanwhile, patiently
from tasks.scratch import scratch_database


@changes
def baseline_database(
    terms: Terms, master: Login, folder: Path, number: int, *, dry_run: bool
) -> tuple[str, ...]:
    """Write the files up to a number into an empty ledger; return their names, none if they are there.

    Before, they are run in a scratch database beside it, and both must be the same. A dry run
    makes no scratch database. Raises ``InvalidRequest``, ``Refused`` with the objects that differ,
    ``Conflict`` when another run is at work, and what a file raises.
    """
    files = read_folder(folder)
    try:
        with contextlib.closing(open_work(terms.login)) as connection:
            pending = plan_baseline(files, read_ledger(connection).entries, number)
            scripts = [read_script(item) for item in pending]
            if scripts and not dry_run:
                with alone(terms, connection) as work:
                    plan_baseline(files, read_ledger(connection).entries, number)
                    _baseline(terms, work, master, scripts)
            return tuple(item.migration.name for item in pending)
    except psycopg.Error as error:
        # Without the cause: a run is not tried again by the step, but goes on when run again.
        raise sql_error(error, terms.login.where) from None


def _baseline(terms: Terms, work: Work, master: Login, scripts: Sequence[Script]) -> None:
    number = scripts[-1].migration.number
    with scratch_database(master) as name:
        terms.progress(f"running the files up to {number:04} in the scratch database {name}")
        wanted = made_by(replace(terms, login=replace(terms.login, database=name)), scripts)
    live = patiently(work, lambda: read_live(work.connection, terms.lock_timeout), UNTOUCHED)
    check_same(number, compare(wanted, live))
    patiently(work, lambda: _write(work, scripts, digest_of(live)), UNTOUCHED)


def made_by(terms: Terms, scripts: Sequence[Script]) -> Catalogue:
    """Return the catalogue that files make of the empty database of a login."""
    with (
        contextlib.closing(open_work(terms.login)) as connection,
        alone(terms, connection) as work,
    ):
        make_ledger(connection, read_ledger(connection), terms.lock_timeout)
        for script in scripts:
            apply_script(work, script)
        return read_live(work.connection, terms.lock_timeout)


def _write(work: Work, scripts: Sequence[Script], digest: str) -> None:
    """Write the ledger of a database whose catalogue has a digest."""
    connection, author = work.connection, work.author
    newest = scripts[-1].migration
    with connection.transaction():
        make_ledger(connection, read_ledger(connection), work.lock_timeout)
        for script in scripts:
            connection.execute(QUERIES["ledger_baseline"], _row(work, script.pending, script))
        add_event(
            connection, author, "baseline", newest.number, f"equal to the files up to {newest.name}"
        )
        if record_catalogue(connection, work.lock_timeout) != digest:
            raise changed_meanwhile(work.login)


def _row(work: Work, pending: Pending, script: Script) -> dict[str, object]:
    return {
        "number": pending.migration.number,
        "name": pending.migration.name,
        "checksum": pending.migration.checksum,
        "chained": pending.chained,
        "statements": len(script.statements),
        "who": work.author.who,
        "tool_version": work.author.tool_version,
    }
