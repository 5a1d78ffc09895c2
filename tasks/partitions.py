"""The partitions of the access log: made ahead, guarded, detached, and dropped on proof alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from psycopg import sql

from haven.errors import Refused
from haven.identifiers import identifier
from haven.pg import Connection, Login, session
from haven.retention.access_log import SCHEMA, Log, Month, Partition
from haven.retention.proof import Proof, why_not_drop
from haven.sql import QUERIES
from haven.verification.fingerprint import Sum
from tasks.fingerprints import read_relations, read_sum
from tasks.kinds import changes, looks


@looks
def observe_log(reader: Login) -> tuple[Log, datetime]:
    """Return the access log's partitions, and the server's time.

    Raises ``Refused`` where the schema is not there, or older than housekeeping.
    """
    with session(reader) as connection:
        ready = connection.execute(QUERIES["housekeeping_ready"]).fetchone()
        if ready is None or not ready[0]:
            raise Refused(
                f"{reader.where} lacks what housekeeping needs of the schema.",
                left="Nothing was touched.",
                cure="Run migrate, then this command again.",
            )
        row = connection.execute(QUERIES["housekeeping_clock"]).fetchone()
        default = connection.execute(QUERIES["housekeeping_default_partition"]).fetchone()
        log = Log(tuple(_read(connection)), default[0] if default else "")
    if row is None:
        raise Refused("The server did not tell the time.")
    return log, row[0]


def _read(connection: Connection) -> list[Partition]:
    rows = connection.execute(QUERIES["housekeeping_partitions"])
    return [
        Partition(
            name,
            attached,
            tuple(bounds) if bounds else None,
            pending,
            tuple(missing),
            size,
        )
        for name, attached, pending, bounds, missing, size in rows
    ]


@changes
def make_partition(owner: Login, month: Month) -> None:
    """Make the partition of a month, with its guards, unless it is there."""
    with session(owner) as connection:
        _as_owner(connection)
        connection.execute(QUERIES["housekeeping_make_partition"], {"month": month.first.date()})


@changes
def guard_partition(owner: Login, month: Month) -> None:
    """Give a partition, attached or not, its guards again."""
    with session(owner) as connection:
        _as_owner(connection)
        connection.execute(QUERIES["housekeeping_guard"], {"name": month.name})


@changes
def detach_partition(owner: Login, month: Month) -> None:
    """Detach a month without holding anybody up, and see that it keeps its guards.

    A detaching that was cut off is finished; one that is done is left.
    """
    with session(replace(owner, answer_limit=None)) as connection:
        _as_owner(connection)
        found = _state(connection, month)
        if found is None or not found.attached:
            return
        query = "housekeeping_finish_detach" if found.pending else "housekeeping_detach"
        name = identifier(SCHEMA, month.name)
        connection.execute(sql.SQL(QUERIES[query]).format(partition=name))
        left = _state(connection, month)
        if left is not None and left.missing:
            connection.execute(QUERIES["housekeeping_guard"], {"name": month.name})


@changes
def drop_partition(owner: Login, reader: Login, month: Month, proof: Proof | None) -> bool:
    """Drop a detached month whose rows, exactly as they are now, are proven elsewhere.

    Nobody can write to it from the look to the drop. Returns whether it was there. Raises
    ``Refused`` with every reason why it must not go.
    """
    with session(replace(owner, answer_limit=None), autocommit=False) as connection:
        _as_owner(connection)
        found = _state(connection, month)
        if found is None:
            return False
        name = identifier(SCHEMA, month.name)
        connection.execute(sql.SQL(QUERIES["housekeeping_hold"]).format(partition=name))
        reasons = why_not_drop(found.relation, month.end, _held(reader, month, proof), proof)
        if found.attached:
            reasons.append("it is part of the access log still")
        if reasons:
            raise Refused(
                f"{found.relation} is not dropped: {'; '.join(reasons)}.",
                left="It was not touched.",
                cure="Export it, load the export back, and run this command again.",
            )
        connection.execute(sql.SQL(QUERIES["housekeeping_drop"]).format(partition=name))
        connection.commit()
    return True


def _held(reader: Login, month: Month, proof: Proof | None) -> Sum:
    """Return the fingerprint of a month's rows, as a role that sees all of them.

    All columns go into it, those as text that went so into the proof.
    """
    as_text = proof.as_text if proof else ()
    with session(replace(reader, answer_limit=None), autocommit=False) as connection:
        connection.execute(QUERIES["fingerprint_session"])
        relation = next(
            one
            for one in read_relations(connection)
            if (one.schema, one.name) == (SCHEMA, month.name)
        )
        columns = tuple(
            replace(one, hashable=one.hashable and one.name not in as_text)
            for one in relation.columns
        )
        return read_sum(connection, replace(relation, columns=columns)).total


def _as_owner(connection: Connection) -> None:
    connection.execute(QUERIES["migration_role"])
    connection.execute(QUERIES["housekeeping_patience"])


def _state(connection: Connection, month: Month) -> Partition | None:
    return next((one for one in _read(connection) if one.name == month.name), None)
