"""The safe way to paste for what ALTER TABLE adds: all that was said, in steps that block nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from haven.migrations.lint.trees import Key, expression, quoted, words_of

A_NAME = "a_name"
PART = ("", "a_partition")
APART = "in a file that begins with '-- haven: non-transactional'"


def _name(word: str) -> str:
    return quoted(("", word))


def _names(words: Iterable[str]) -> str:
    return ", ".join(_name(word) for word in words)


def filled_later(key: Key, column: Any, default: Any) -> str:
    """Add a column first, and set its default for new rows."""
    if default is None:
        return ""
    table, name, value = quoted(key), _name(column.colname), expression(default.raw_expr)
    return (
        f"ALTER TABLE {table} ADD COLUMN {name} {expression(column.typeName)};\n"
        f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {value};"
    )


def with_default(key: Key, column: Any) -> str:
    """Add a column with a constant for the rows that are there."""
    name, sort = _name(column.colname), expression(column.typeName)
    return f"ALTER TABLE {quoted(key)} ADD COLUMN {name} {sort} NOT NULL DEFAULT …;"


def not_null_proven(key: Key, column: str) -> str:
    """Prove by a CHECK that a column is never null, and let PostgreSQL find the proof."""
    table, name, column = quoted(key), _name(f"{column}_not_null"), _name(column)
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID;\n"
        f"-- in the next file:\nALTER TABLE {table} VALIDATE CONSTRAINT {name};\n"
        f"-- in the file after that:\nALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n"
        f"ALTER TABLE {table} DROP CONSTRAINT {name};"
    )


def validated_later(key: Key, constraint: Any) -> str:
    """Add a CHECK or foreign key for new rows, and check old ones in the next file."""
    return (
        f"ALTER TABLE {quoted(key)} ADD {_not_valid(constraint)};\n"
        f"-- in the next file:\n{_validated(key, constraint)}"
    )


def validated_by_partition(key: Key, constraint: Any) -> str:
    """PostgreSQL adds no foreign key NOT VALID to a parent: to its partitions, then it finds them."""
    added = expression(constraint)
    return (
        f"-- for each partition:\nALTER TABLE {quoted(PART)} ADD {_not_valid(constraint)};\n"
        f"-- in the next file, for each partition:\n{_validated(PART, constraint)}\n"
        f"-- in the file after that, which accepts this hazard: it finds them and checks no row\n"
        f"ALTER TABLE {quoted(key)} ADD {added};"
    )


def _not_valid(constraint: Any) -> str:
    before = constraint.conname, constraint.skip_validation
    constraint.conname, constraint.skip_validation = constraint.conname or A_NAME, True
    text = expression(constraint)
    constraint.conname, constraint.skip_validation = before
    return text


def _validated(key: Key, constraint: Any) -> str:
    return f"ALTER TABLE {quoted(key)} VALIDATE CONSTRAINT {_name(constraint.conname or A_NAME)};"


def index_first(key: Key, columns: Sequence[str]) -> str:
    """Build the index behind a unique column first."""
    name = _name(_made_of(key, columns))
    return (
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {quoted(key)} ({_names(columns)});\n"
        f"-- in the next file:\nALTER TABLE {quoted(key)} ADD CONSTRAINT {name} UNIQUE USING INDEX {name};"
    )


def unique_first(key: Key, constraint: Any) -> str:
    """Build the index behind a unique constraint or primary key first."""
    name = constraint.conname or _made_of(key, words_of(constraint.keys))
    return (
        f"{_index_of(key, name, constraint)}\n"
        f"-- in the next file:\n{_using_index(key, name, constraint)}"
    )


def unique_by_partition(key: Key, constraint: Any) -> str:
    """PostgreSQL takes no index for a parent: one for each partition, which is attached."""
    name = constraint.conname or _made_of(key, words_of(constraint.keys))
    part = f"{name}_of_a_partition"
    return (
        f"ALTER TABLE ONLY {quoted(key)} ADD CONSTRAINT {_name(name)} {_unnamed(constraint)};\n"
        f"-- for each partition, {APART}:\n{_index_of(PART, part, constraint)}\n"
        f"-- in the file after that, for each partition:\n{_using_index(PART, part, constraint)}\n"
        f"ALTER INDEX {quoted((key[0], name))} ATTACH PARTITION {_name(part)};"
    )


def _made_of(key: Key, columns: Sequence[str]) -> str:
    return "_".join([key[1], *columns, "key"])


def _unnamed(constraint: Any) -> str:
    before, constraint.conname = constraint.conname, None
    text = expression(constraint)
    constraint.conname = before
    return text


def _index_of(key: Key, name: str, constraint: Any) -> str:
    nulls = " NULLS NOT DISTINCT" if constraint.nulls_not_distinct else ""
    more = f" INCLUDE ({_names(words_of(constraint.including))})" if constraint.including else ""
    columns = _names(words_of(constraint.keys))
    return (
        f"CREATE UNIQUE INDEX CONCURRENTLY {_name(name)} ON {quoted(key)} ({columns}){more}{nulls};"
    )


def _using_index(key: Key, name: str, constraint: Any) -> str:
    word = "PRIMARY KEY" if constraint.contype.name == "CONSTR_PRIMARY" else "UNIQUE"
    later = " DEFERRABLE" if constraint.deferrable else ""
    later += " INITIALLY DEFERRED" if constraint.initdeferred else ""
    name = _name(name)
    return f"ALTER TABLE {quoted(key)} ADD CONSTRAINT {name} {word} USING INDEX {name}{later};"
