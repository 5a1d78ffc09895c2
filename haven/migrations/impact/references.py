"""Telling which columns pending files make refer to which: rows must be there for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from haven.migrations.lint.trees import Key, key_of, kind, words_of
from haven.migrations.script import Script, tree_of


@dataclass(frozen=True, slots=True)
class AddedReference:
    """A foreign key that a file adds to a table; ``referred`` is empty for the primary key."""

    child: Key
    parent: Key
    columns: tuple[str, ...]
    referred: tuple[str, ...]


def added_references(scripts: Iterable[Script]) -> list[AddedReference]:
    """Return the foreign keys that statements of files add to tables."""
    return [
        found
        for script in scripts
        for statement in script.statements
        if statement.text[:5].upper() == "ALTER"
        for found in _of_tree(tree_of(statement.text))
    ]


def _of_tree(tree: Any) -> Iterator[AddedReference]:
    if kind(tree) != "AlterTableStmt":
        return
    for command in tree.cmds:
        constraint = command.def_
        if command.subtype.name != "AT_AddConstraint":
            continue
        if constraint.contype.name == "CONSTR_FOREIGN":
            yield AddedReference(
                key_of(tree.relation),
                key_of(constraint.pktable),
                tuple(words_of(constraint.fk_attrs)),
                tuple(words_of(constraint.pk_attrs)),
            )
