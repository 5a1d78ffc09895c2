"""What a statement of a migration raised, as an error that names file, line and cure."""

from __future__ import annotations

import psycopg

from haven.errors import Failed, HavenError, Unavailable
from haven.migrations.files import line_of
from haven.migrations.script import Script
from haven.pg import first_line, without_data

CANCELLED = "57014"

CURES = {
    CANCELLED: "If the time limit ended it, give the file the header '-- haven: statement-timeout "
    "…' with a longer one; it is never tried again by itself.",
    "42501": "The files run as haven_owner: grant it what it needs, or do that in provision.",
}
# How many statements it takes to ask one query of a file's headers.
VERIFY_STATEMENTS = 4
MEND = "Mend the file, which is not applied yet, and run the same command again."


def statement_error(
    script: Script, index: int, error: psycopg.Error, left: str, *, before: int = 0
) -> Failed:
    """Say which statement failed; ``before`` is how many characters were sent before the file."""
    place, start = _place(script, index, error, before)
    state = error.sqlstate or "none"
    return Failed(
        f"{place}: {start} failed: {_message(error)} (SQLSTATE {state}).",
        left=left,
        cure=CURES.get(state, MEND),
    )


def verification_error(script: Script, index: int, error: psycopg.Error, left: str) -> Failed:
    """Say which query of the headers did not return true; ``index`` counts the SQL sent for them."""
    query = script.headers.verifies[index // VERIFY_STATEMENTS]
    return Failed(
        f"{script.migration.name}: what it is to prove does not hold: {query}: {_message(error)} "
        f"(SQLSTATE {error.sqlstate}).",
        left=left,
        cure="Find out whether the file or the query is wrong; mend it, and run the same command again.",
    )


def in_the_way(
    script: Script, index: int, error: psycopg.Error, left: str, attempts: int
) -> HavenError:
    """Say that other sessions were in the way at every attempt."""
    place, start = _place(script, index, error, 0)
    return Unavailable(
        f"{place}: {start} found other sessions in its way at each of {attempts} attempts: "
        f"{_message(error)} (SQLSTATE {error.sqlstate}).",
        left=left,
        cure="Find the sessions that hold the locks (pg_stat_activity), or choose a calmer hour, "
        "and run the same command again.",
    )


def connection_lost(script: Script, left: str) -> Unavailable:
    """Say that the server went away and did not come back in time."""
    return Unavailable(
        f"{script.migration.name}: the connection to the server was lost.",
        left=left,
        cure="Run the same command again when the server answers; the ledger tells what was "
        "committed.",
    )


def _place(script: Script, index: int, error: psycopg.Error, before: int) -> tuple[str, str]:
    name = script.migration.name
    if index >= len(script.statements):
        return name, "the COMMIT of the file"
    statement = script.statements[max(index, 0)]
    line = _line(script, error, before) or statement.line
    where = f", in the statement of line {statement.line}" if line != statement.line else ""
    return f"{name}:{line}", f"'{statement.start}'{where}"


def _line(script: Script, error: psycopg.Error, before: int) -> int | None:
    """Return the line that the server points at, when it points into the file."""
    position = error.diag.statement_position
    if not before or position is None:
        return None
    offset = int(position) - 1 - before
    text = script.migration.text
    return line_of(text, offset) if 0 <= offset < len(text) else None


def _message(error: psycopg.Error) -> str:
    return without_data(error) or (error.diag.message_primary or first_line(error)).rstrip(". ")
