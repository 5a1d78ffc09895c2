"""A baseline: at which number a database stands that somebody else migrated, and whether it does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from haven.errors import InvalidRequest, Refused
from haven.migrations.catalogue import Change, listed
from haven.migrations.files import UNTOUCHED, Migration
from haven.migrations.plan import Entry, Pending, plan_migrations

SCRATCH = "haven_scratch_"


def scratch_name(database: str) -> str:
    """Return the name of the database in which files are tried beside another one.

    It is always the same, so that what a killed run left is found.
    """
    return SCRATCH + hashlib.sha256(database.encode()).hexdigest()[:12]


def plan_baseline(
    files: Sequence[Migration], ledger: Sequence[Entry], number: int
) -> tuple[Pending, ...]:
    """Return the files up to a number, which the database is held to have; none when it is there.

    Raises ``InvalidRequest`` for a number that no file has, ``Refused`` when the ledger has rows.
    """
    plan = plan_migrations(files, ledger)
    if number not in {file.number for file in files}:
        raise InvalidRequest(
            f"No file has the number {number}.",
            left=UNTOUCHED,
            cure=f"The newest one is {files[-1].number}.",
        )
    if ledger and plan.already == number == len(ledger):
        return ()
    if ledger:
        raise Refused(
            f"The ledger of this database has rows already, up to {ledger[-1].name}.",
            left=UNTOUCHED,
            cure="Run migrate; a baseline is for a database that Haven never migrated.",
        )
    return plan.pending[:number]


def check_same(number: int, differences: Sequence[Change]) -> None:
    """Raise ``Refused`` with the objects in which a database is not what the files make."""
    if differences:
        raise Refused(
            f"The database is not what the files up to {number:04} make of an empty one; from "
            f"those to it:\n{listed(differences, limit=None)}\n",
            left="The ledger was not written; the scratch database is gone.",
            cure="Bring the database or the files in line, or choose another number.",
        )
