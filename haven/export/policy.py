"""What of a column may leave for research: an export without direct identifiers.

Nothing is exported that no policy names. A policy that does not fit the database is refused whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from haven.errors import InvalidRequest
from haven.export.columns import MOMENTS, Field, Form
from haven.export.tables import Selected, Table


class Treatment(StrEnum):
    """What is done with a column's values."""

    KEEP = "keep"
    HASH = "hash"
    YEAR = "year"
    DROP = "drop"


Policy = Mapping[str, Mapping[str, Treatment]]
NO_POLICY = "no policy names a column of it that may leave"


def everything(tables: Sequence[Table], as_text: Sequence[str]) -> list[Selected]:
    """Select every column; those in ``as_text`` (schema.table.column) are kept as text.

    Raises ``InvalidRequest`` for one that does not exist.
    """
    columns = {
        f"{one.schema}.{one.name}.{column.name}": (one.identity, column.name)
        for one in tables
        for column in one.columns
    }
    unknown = [name for name in as_text if name not in columns]
    if unknown:
        raise _wrong(
            [f"as_text names {name}, which the database does not have" for name in unknown]
        )
    wanted = {columns[name] for name in as_text}
    return [
        Selected(
            one,
            tuple(
                Field(column, Form.TEXT if (one.identity, column.name) in wanted else column.form)
                for column in one.columns
            ),
        )
        for one in tables
    ]


def select(tables: Sequence[Table], policy: Policy) -> tuple[list[Selected], dict[str, str]]:
    """Select what a policy lets out; of every other table, say why it is left.

    A policy for a partitioned table is one for each of its partitions. Raises ``InvalidRequest``
    naming each entry that does not fit the database.
    """
    by_table = {one.identity: _policy_of(one, policy) for one in tables}
    problems = [*_unknown(tables, policy), *_misfits(tables, by_table)]
    if problems:
        raise _wrong(problems)
    found = [Selected(one, tuple(_fields(one, by_table[one.identity]))) for one in tables]
    left = {one.table.identity: NO_POLICY for one in found if not one.fields}
    return [one for one in found if one.fields], left


def without_policy(tables: Sequence[Table], policy: Policy) -> list[str]:
    """Return the columns of the policy's own tables that it says nothing of."""
    return [
        f"{one.identity}.{column.name}"
        for one in tables
        if (known := _policy_of(one, policy))
        for column in one.columns
        if column.name not in known
    ]


def digest(policy: Policy) -> str:
    """Return the SHA-256 of a policy, as manifests have it."""
    plain = {table: dict(columns) for table, columns in policy.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _fields(table: Table, policy: Mapping[str, Treatment]) -> Iterator[Field]:
    for column in table.columns:
        match policy.get(column.name, Treatment.DROP):
            case Treatment.KEEP:
                yield Field(column, column.form)
            case Treatment.YEAR:
                yield Field(replace(column, type="integer", kind="int4", own=True), Form.YEAR)
            case Treatment.HASH:
                yield Field(replace(column, type="text", kind="text", own=True), Form.HASH)
            case Treatment.DROP:
                pass


def _names(table: Table) -> tuple[str, ...]:
    return (f"{table.schema}.{table.name}", table.identity, table.root)


def _policy_of(table: Table, policy: Policy) -> Mapping[str, Treatment]:
    return next((policy[name] for name in _names(table) if name and name in policy), {})


def _unknown(tables: Sequence[Table], policy: Policy) -> Iterator[str]:
    known = {name for one in tables for name in _names(one)}
    for name, columns in policy.items():
        if name not in known:
            yield f"there is no table {name}"
            continue
        theirs = {column.name for one in tables if name in _names(one) for column in one.columns}
        yield from (f"{name} has no column {column}" for column in columns if column not in theirs)


def _misfits(
    tables: Sequence[Table], by_table: Mapping[str, Mapping[str, Treatment]]
) -> Iterator[str]:
    for one in tables:
        policy = by_table[one.identity]
        for column in one.columns:
            if policy.get(column.name) is Treatment.YEAR and column.kind not in MOMENTS:
                yield f"{one.identity}.{column.name} is {column.type}, which has no year"


def _wrong(problems: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(
        f"The export section of the stack does not fit the database: {'; '.join(problems)}.",
        left="Nothing was exported.",
        cure="Mend the entries named in the stack file.",
    )
