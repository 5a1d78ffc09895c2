"""What a down file loses besides what any file would: rows that a condition picks."""

from __future__ import annotations

from collections.abc import Iterator

from haven.migrations.lint.findings import Finding
from haven.migrations.lint.hazards import HAZARDS
from haven.migrations.lint.trees import dotted, key_of, kind, walk
from haven.migrations.script import Script, tree_of


def deletions(script: Script) -> Iterator[Finding]:
    """Yield every DELETE of some rows, also one within another statement."""
    for statement in script.statements:
        for node in walk(tree_of(statement.text)):
            if kind(node) == "DeleteStmt" and (node.whereClause or node.usingClause):
                table = dotted(key_of(node.relation))
                yield Finding(script.migration.name, statement.line, HAZARDS["undo-deletes"], table)
