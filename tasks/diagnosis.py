"""What a server says of itself: the facts that findings are made from. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from haven.diagnosis.findings import Limits
from haven.diagnosis.server import Load, Numbers, Session, Slot
from haven.diagnosis.statements import Statement, masked
from haven.diagnosis.tables import Index, Table, Usage, Waste
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from tasks.kinds import looks

TOP = 10


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the writer says of itself. ``unread`` names what was not measured, with the reason."""

    tables: tuple[Table, ...]
    indexes: tuple[Index, ...]
    waste: tuple[Waste, ...]
    slots: tuple[Slot, ...]
    load: Load
    statements: tuple[Statement, ...]
    unread: tuple[str, ...] = ()


@looks
def read_server(master: Login, limits: Limits) -> ServerFacts:
    """Log in as the master, who sees the statistics of all, and read them."""
    with session(replace(master, answer_limit=None)) as connection:
        connection.execute(QUERIES["diagnosis_session"])
        waste, unread = _waste(connection, limits)
        statements, unknown = _statements(connection)
        return ServerFacts(
            tuple(Table(*row) for row in connection.execute(QUERIES["diagnosis_tables"])),
            tuple(Index(*row) for row in connection.execute(QUERIES["diagnosis_indexes"])),
            tuple(waste),
            tuple(Slot(*row) for row in connection.execute(QUERIES["diagnosis_slots"])),
            _load(connection),
            tuple(statements),
            (*unread, *unknown),
        )


@looks
def read_numbers(owner: Login) -> list[Numbers]:
    """Log in as who may assume the owner, who may ask each sequence where it is."""
    with session(owner) as connection:
        connection.execute(QUERIES["migration_role"])
        connection.execute(QUERIES["diagnosis_session"])
        return [Numbers(*row) for row in connection.execute(QUERIES["diagnosis_sequences"])]


@looks
def read_usage(server: str, login: Login) -> Usage:
    """Log in to a server, a replica too, and read how often it used each index."""
    with session(login) as connection:
        connection.execute(QUERIES["diagnosis_session"])
        since = connection.execute(QUERIES["diagnosis_usage_since"]).fetchone()
        scans = dict(connection.execute(QUERIES["diagnosis_usage"]).fetchall())
        return Usage(server, since[0] if since else None, scans)


def _waste(connection: Connection, limits: Limits) -> tuple[list[Waste], list[str]]:
    """Look into what is large enough to waste much, as far as the budget of bytes reaches."""
    if not _knows(connection, "pgstattuple"):
        return [], ["bloat: the extension pgstattuple is not there; provision makes it"]
    found: list[Waste] = []
    left, spent = 0, 0
    candidates = connection.execute(
        QUERIES["diagnosis_waste_candidates"], {"least": limits.bloat_bytes}
    ).fetchall()
    for oid, name, is_index, size in candidates:
        if found and spent + size > limits.budget_bytes:
            left += 1
            continue
        spent += size
        query = "diagnosis_waste_of_index" if is_index else "diagnosis_waste_of_table"
        row = connection.execute(QUERIES[query], {"relation": oid}).fetchone()
        found.append(Waste(name, is_index, size, row[0] if row else 0))
    return found, [f"bloat of {left} relations, for want of budget"] if left else []


def _statements(connection: Connection) -> tuple[list[Statement], list[str]]:
    if not _knows(connection, "pg_stat_statements"):
        return [], ["statements: the extension pg_stat_statements is not there; provision makes it"]
    rows = connection.execute(QUERIES["diagnosis_statements"], {"most": TOP}).fetchall()
    return [
        Statement(number, calls, total, mean, share or 0.0, masked(text))
        for number, calls, total, mean, share, text in rows
    ], []


def _knows(connection: Connection, extension: str) -> bool:
    given = {"name": extension}
    row = connection.execute(QUERIES["diagnosis_knows_extension"], given).fetchone()
    return bool(row and row[0])


def _load(connection: Connection) -> Load:
    used, most = connection.execute(QUERIES["diagnosis_load"]).fetchone() or (0, 0)
    own = {"own": connection.info.backend_pid}
    return Load(
        used,
        most,
        tuple(connection.execute(QUERIES["diagnosis_load_by_user"]).fetchall()),
        tuple(Session(*row) for row in connection.execute(QUERIES["diagnosis_sessions"], own)),
    )
