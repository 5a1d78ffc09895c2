"""What a statement that works CONCURRENTLY left behind when it was cut off, and what is still to do."""

from __future__ import annotations

from psycopg import sql

from haven.identifiers import identifier
from haven.migrations.script import Statement
from haven.migrations.statements import Detachment, IndexChange, Rebuild
from haven.sql import QUERIES
from tasks.migration_session import Work


def still_to_do(work: Work, statement: Statement, *, crashed: bool) -> bytes | None:
    """Clear away what an attempt that was cut off left, and return what is to be sent, if anything.

    What a statement would do may have been done before a crash. Then only our own statement can
    have done it: had it been done already, the statement would have failed, and the ledger would
    say so.
    """
    traits, text = statement.traits, statement.text.encode()
    if traits.index is not None:
        return text if _look_at_index(work, traits.index, crashed=crashed) else None
    if traits.rebuild is not None:
        _drop_unfinished(work, traits.rebuild)
    if traits.detachment is not None:
        return _rest_of_detachment(work, traits.detachment, text, crashed=crashed)
    return text


def _look_at_index(work: Work, index: IndexChange, *, crashed: bool) -> bool:
    """Clear away an INVALID index, and tell whether the change is still to be made."""
    row = work.connection.execute(
        QUERIES["migration_index"], {"name": index.name, "schema": index.schema}
    ).fetchone()
    if row is None:
        return index.creates or not crashed
    valid, schema, name = row
    if not index.creates:
        return True
    if valid:
        return not crashed
    _drop(work, schema, name)
    return True


def _drop_unfinished(work: Work, rebuild: Rebuild) -> None:
    """Drop the INVALID indexes that a rebuilding left beside those that it rebuilds."""
    given = {"schema": rebuild.schema, "name": rebuild.name}
    for schema, name in work.connection.execute(QUERIES["migration_unfinished"], given).fetchall():
        _drop(work, schema, name)


def _drop(work: Work, schema: str, name: str) -> None:
    work.progress(f"dropping the INVALID index {schema}.{name}, which was not finished")
    index = identifier(schema, name)
    work.connection.execute(sql.SQL(QUERIES["migration_drop_index"]).format(index=index))


def _rest_of_detachment(
    work: Work, detachment: Detachment, text: bytes, *, crashed: bool
) -> bytes | None:
    (parent_schema, parent), (schema, part) = detachment.parent, detachment.part
    row = work.connection.execute(
        QUERIES["migration_detachment"],
        {"parent_schema": parent_schema, "parent": parent, "schema": schema, "part": part},
    ).fetchone()
    if row is None:
        return None if crashed else text
    if not row[0]:
        return text
    names = {
        "parent": identifier(*(word for word in detachment.parent if word)),
        "part": identifier(*(word for word in detachment.part if word)),
    }
    finish = sql.SQL(QUERIES["migration_finish_detachment"]).format(**names)
    return finish.as_bytes(work.connection)
