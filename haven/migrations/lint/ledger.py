"""The rule that no file touches the ledger: what it says could not be trusted any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from haven.migrations.impact.locks import Lock
from haven.migrations.lint.findings import Found
from haven.migrations.lint.trees import Key, dotted, key_of_path, kind

SCHEMA = "haven_ops"
TABLES = frozenset({"migrations", "history", "catalogue"})


def touched(tree: Any, locks: Mapping[Key, Lock]) -> Iterator[Found]:
    """Yield what a statement, which takes these locks, changes of the ledger."""
    for (schema, name), lock in locks.items():
        if schema == SCHEMA and name in TABLES and lock >= Lock.ROW_EXCLUSIVE:
            yield Found("ledger-changed", dotted((schema, name)))
    if kind(tree) == "DropStmt" and tree.removeType.name == "OBJECT_SCHEMA":
        for path in tree.objects:
            if key_of_path(path if isinstance(path, tuple) else (path,))[1] == SCHEMA:
                yield Found("ledger-changed", SCHEMA)
