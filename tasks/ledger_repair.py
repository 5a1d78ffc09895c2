"""Repairing the ledger: an applied file that was edited is taken as it is now, for a reason."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psycopg

from haven.migrations.files import Migration, read_folder
from haven.migrations.order import check_order
from haven.migrations.repair import Repair, plan_repair
from haven.pg import Connection, sql_error
from haven.sql import QUERIES
from tasks.kinds import changes
from tasks.ledger import add_event, read_ledger
from tasks.migration_session import Work, open_work
from tasks.migration_work import Terms, alone, complete_ledger


@changes
def repair_checksum(
    terms: Terms, folder: Path, name: str, reason: str, *, dry_run: bool
) -> Repair | None:
    """Put the checksum of one file as it is now into the ledger; nothing where it is there.

    Raises ``InvalidRequest`` or ``Refused`` before anything changes, ``Conflict`` when another
    run is at work.
    """
    files = read_folder(folder)
    check_order(files)
    try:
        with contextlib.closing(open_work(terms.login)) as connection:
            found = plan_repair(files, read_ledger(connection).entries, name)
            if found is None or dry_run:
                return found
            with alone(terms, connection) as work:
                return _repair(work, connection, files, name, reason)
    except psycopg.Error as error:
        raise sql_error(error, terms.login.where) from None


def _repair(
    work: Work, connection: Connection, files: tuple[Migration, ...], name: str, reason: str
) -> Repair | None:
    seen = read_ledger(connection)
    found = plan_repair(files, seen.entries, name)
    if found is None:
        return None
    complete_ledger(work, seen)
    number = found.entry.number
    with connection.transaction():
        add_event(connection, work.author, "repaired", number, reason)
        connection.execute(
            QUERIES["ledger_checksum"], {"checksum": found.checksum, "number": number}
        )
        for link_of, link in found.links:
            connection.execute(QUERIES["ledger_link"], {"chained": link, "number": link_of})
    return found
