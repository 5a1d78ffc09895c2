"""Checks of a restored copy besides its rows: catalogue, indexes, constraints, sequences, what applications see."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from haven.errors import Failed
from haven.identifiers import identifier
from haven.migrations.catalogue import Catalogue, compare
from haven.pg import Connection, Login, first_line, session
from haven.sql import QUERIES
from haven.verification.catalogue import unexplained
from haven.verification.manifest import Manifest
from haven.verification.timing import Pulse
from haven.verification.verdict import Check, Outcome, failed, judged, passed
from tasks.heartbeat import Beat, read_beat
from tasks.kinds import looks
from tasks.manifests import read_ledger, read_whole_catalogue

SAMPLE_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Read:
    """What a copy says of itself: its last beat, its ledger and its catalogue."""

    pulse: Pulse | None
    ledger: tuple[tuple[int, str, str, str], ...]
    catalogue: Catalogue

    @property
    def beat_at(self) -> datetime | None:
        """When the last beat was written that came into the copy."""
        return self.pulse.at if self.pulse else None


@looks
def read_copy(reader: Login, stack: str) -> Read:
    """Log in to a copy, and read what it says of itself."""
    with session(replace(reader, answer_limit=None), autocommit=False) as connection:
        catalogue = read_whole_catalogue(connection)
        connection.execute(QUERIES["fingerprint_session"])
        return Read(
            _pulse(read_beat(connection, stack)),
            tuple(read_ledger(connection)),
            catalogue,
        )


@looks
def read_pulse(reader: Login, stack: str) -> Pulse | None:
    """Log in, and read the last beat."""
    with session(reader, autocommit=False) as connection:
        connection.execute(QUERIES["fingerprint_session"])
        return _pulse(read_beat(connection, stack))


@looks
def read_clock(reader: Login) -> datetime:
    """Log in, and return what time it is there: commits are dated by that clock."""
    with session(reader, autocommit=False) as connection:
        connection.execute(QUERIES["fingerprint_session"])
        row = connection.execute(QUERIES["verify_now"]).fetchone()
    if row is None:
        raise Failed("The server did not tell the time.")
    moment: datetime = row[0]
    return moment


def _pulse(beat: Beat | None) -> Pulse | None:
    return Pulse(beat.beat_at, beat.beats) if beat else None


@looks
def read_source_catalogue(reader: Login) -> Catalogue:
    """Return the catalogue of the source as it is now."""
    with session(replace(reader, answer_limit=None), autocommit=False) as connection:
        return read_whole_catalogue(connection)


def check_catalogue(known: Catalogue, copy: Catalogue, source: Catalogue) -> Check:
    """Hold a copy's catalogue against the manifest's; what the source has changed since is fine."""
    wrong = [change.text for change in unexplained(known, copy, source)]
    later = len(compare(known, copy)) - len(wrong)
    return judged("catalogue", wrong, f"{len(copy):,} objects equal", f"{later} changed since")


def check_ledger(wanted: Manifest, copy: Read) -> Check:
    """Hold the migration ledger against the manifest's: it may have grown, and nothing else."""
    had, has = wanted.ledger, copy.ledger
    wrong = [
        f"file {number} ({name}) is not in the ledger as it was"
        for (number, name, checksum, chained) in had
        if (number, name, checksum, chained) not in has
    ]
    return judged("ledger", wrong, f"{len(has)} files")


@looks
def check_indexes(master: Login, budget: int) -> Check:
    """Look into every B-tree, as far as a budget of bytes reaches, the smallest first.

    Each must be in order and have an entry for every row (PostgreSQL, amcheck).
    """
    wrong, done, spent, left = [], 0, 0, 0
    with session(replace(master, answer_limit=None)) as connection:
        connection.execute(QUERIES["verify_amcheck"])
        for index, name, size in connection.execute(QUERIES["verify_indexes"]).fetchall():
            if budget and done and spent + size > budget:
                left += 1
                continue
            problem = _index_problem(connection, index)
            wrong += [f"{name}: {problem}"] if problem else []
            done, spent = done + 1, spent + size
    more = (f"{left} larger ones left for want of budget",) if left else ()
    return judged("indexes", wrong, f"{done} B-trees", *more)


def _index_problem(connection: Connection, index: int) -> str:
    try:
        connection.execute(QUERIES["verify_index"], {"index": index})
    except (psycopg.errors.IndexCorrupted, psycopg.errors.DataCorrupted) as error:
        return first_line(error)
    return ""


@looks
def check_constraints(reader: Login) -> Check:
    """Try foreign keys and CHECK constraints again on a sample of each table's rows."""
    sample = sql.Literal(SAMPLE_ROWS)
    wrong, tried = [], 0
    with session(replace(reader, answer_limit=None), autocommit=False) as connection:
        for name in ("verify_foreign_keys", "verify_checks"):
            query = sql.SQL(QUERIES[name]).format(sample=sample)
            for constraint, table, count in connection.execute(query):
                tried += 1
                if count:
                    wrong.append(f"{count} rows of {table} break {constraint}")
    if not tried:
        return Check("constraints", Outcome.NOTHING)
    return judged("constraints", wrong, f"{tried} on up to {SAMPLE_ROWS:,} rows each")


@looks
def check_sequences(owner: Login, reader: Login) -> Check:
    """Look whether each sequence is past the values of its column: else the next insert fails."""
    wrong, tried = [], 0
    with session(owner) as connection, session(reader) as rows:
        connection.execute(QUERIES["migration_role"])
        for name, schema, table, column, last, step in connection.execute(
            QUERIES["verify_sequences"]
        ).fetchall():
            tried += 1
            reach = _reach(rows, (schema, table), column, step)
            behind = reach is not None and (
                last is None or (last < reach if step > 0 else last > reach)
            )
            if behind:
                wrong.append(f"{name} is at {last}, and {schema}.{table} has {reach}")
    if not tried:
        return Check("sequences", Outcome.NOTHING)
    return judged("sequences", wrong, f"{tried} sequences")


def _reach(connection: Connection, table: tuple[str, str], column: str, step: int) -> int | None:
    query = sql.SQL(QUERIES["verify_sequence_reach"]).format(
        extreme=sql.SQL("max") if step > 0 else sql.SQL("min"),
        column=identifier(column),
        relation=identifier(*table),
    )
    row = connection.execute(query).fetchone()
    value: int | None = row[0] if row else None
    return value


@looks
def check_application(reader: Login, application: Login) -> Check:
    """Do what an application does: see the patients of one organization, and nothing unasked."""
    name = "application"
    with session(reader) as connection:
        (there,) = connection.execute(QUERIES["verify_has_patients"]).fetchone() or (False,)
        row = connection.execute(QUERIES["verify_an_organization"]).fetchone() if there else None
    if row is None:
        return Check(name, Outcome.NOTHING)
    organization, patients = row
    given: dict[str, Any] = {"organization": organization, "user": uuid.UUID(int=0)}
    with session(application, autocommit=False) as connection:
        unasked = _visible(connection, given)
        connection.execute(QUERIES["verify_as_organization"], given)
        own = _visible(connection, given)
    wrong = [f"sees {unasked[1]} patients without an organization"] if unasked[1] else []
    if own[0] != patients:
        wrong.append(f"sees {own[0]} patients of its organization, of {patients}")
    if wrong:
        return failed(name, *wrong)
    return passed(name, f"sees its own {patients} patients under row-level security")


def _visible(connection: Connection, given: dict[str, Any]) -> tuple[int, int]:
    row = connection.execute(QUERIES["verify_visible_patients"], given).fetchone()
    return (row[0], row[1]) if row else (0, 0)
