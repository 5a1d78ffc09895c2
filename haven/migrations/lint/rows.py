"""Rules on statements that lose, lock or write whole tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import dotted, key_of, kind, walk


def truncate(node: Any, known: Known) -> Iterator[Found]:
    """TRUNCATE."""
    for relation in node.relations:
        if not known.empty(key_of(relation)):
            yield Found("truncate-loses-data", dotted(key_of(relation)))


def delete(node: Any, known: Known) -> Iterator[Found]:
    """DELETE without a condition that looks at rows."""
    key = key_of(node.relation)
    if _meets_all(node.whereClause) and not node.usingClause and not known.empty(key):
        yield Found("truncate-loses-data", dotted(key))
    yield from _kept(known)


def update(node: Any, known: Known) -> Iterator[Found]:
    """UPDATE without a condition that looks at rows."""
    key = key_of(node.relation)
    if _meets_all(node.whereClause) and not node.fromClause and not known.empty(key):
        yield Found("every-row-written", dotted(key))
    yield from _kept(known)


def merge(node: Any, known: Known) -> Iterator[Found]:
    """MERGE that changes whatever row there is."""
    key, done = key_of(node.relation), set()
    for clause in node.mergeWhenClauses:
        if _meets_all(node.joinCondition) and _meets_all(clause.condition):
            done.add(clause.commandType.name)
    if "CMD_DELETE" in done and not known.empty(key):
        yield Found("truncate-loses-data", dotted(key))
    if "CMD_UPDATE" in done and not known.empty(key):
        yield Found("every-row-written", dotted(key))
    yield from _kept(known)


def _meets_all(condition: Any) -> bool:
    """Tell whether a condition, if there is one, is the same for every row."""
    return not any(kind(node) in ("ColumnRef", "CurrentOfExpr") for node in walk(condition))


def _kept(known: Known) -> Iterator[Found]:
    """Rows are changed while the file holds a lock against all use."""
    if known.locked:
        yield Found("lock-kept", ", ".join(dotted(key) for key in sorted(known.locked)))


def lock(node: Any, _known: Known) -> Iterator[Found]:
    """LOCK TABLE."""
    for relation in node.relations:
        yield Found("lock-table", dotted(key_of(relation)))


def vacuum(node: Any, known: Known) -> Iterator[Found]:
    """VACUUM FULL."""
    if not any(item.defname == "full" for item in node.options or ()):
        return
    relations = [item.relation for item in node.rels or ()]
    for relation in relations:
        if not known.empty(key_of(relation)):
            yield Found("rewritten-under-lock", dotted(key_of(relation)))
    if not relations:
        yield Found("rewritten-under-lock", "each table")


def cluster(node: Any, known: Known) -> Iterator[Found]:
    """CLUSTER."""
    if node.relation is None:
        yield Found("rewritten-under-lock", "each clustered table")
    elif not known.empty(key_of(node.relation)):
        yield Found("rewritten-under-lock", dotted(key_of(node.relation)))


def move_all(node: Any, _known: Known) -> Iterator[Found]:
    """ALTER … ALL IN TABLESPACE."""
    yield Found("rewritten-under-lock", f"everything in {node.orig_tablespacename}")
