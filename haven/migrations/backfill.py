"""A backfill: one UPDATE of many rows, cut into batches along the primary key of its table.

The file's own text stays as it is, and any ``psql`` runs it as one statement. For a batch, the key's
range is put into its WHERE, and what comes of that is held against PostgreSQL's own parse tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from haven.errors import InvalidRequest, Refused
from haven.migrations.files import UNTOUCHED, wrong
from haven.migrations.lint.trees import Key, dotted, key_of, key_of_path, kind, walk
from haven.migrations.script import Script, tree_of

_CURE = "Write one UPDATE of one table with a primary key, or remove the header."
_NAMED = (
    "Name the column with the table that is updated, or write what is read into a table before."
)
_PROBE = "WHERE true AND ("


@dataclass(frozen=True, slots=True)
class Backfill:
    """An UPDATE in its parts: what stands before WHERE, and the condition after it, if any.

    ``name`` is what the statement calls its table. ``relations`` and ``functions`` are all that the
    file names, its queries to verify included.
    """

    table: Key
    name: str
    head: str = field(repr=False)
    condition: str | None = field(repr=False)
    assigned: frozenset[str]
    relations: tuple[Key, ...]
    functions: tuple[Key, ...] = ()


def read_backfill(script: Script) -> Backfill:
    """Read the one UPDATE of a file. Raises ``InvalidRequest`` where it cannot be cut into batches."""
    place = f"{script.migration.name}:{script.statements[0].line}"
    text = script.statements[0].text
    tree = tree_of(text)
    if len(script.statements) > 1 or kind(tree) != "UpdateStmt":
        raise wrong(place, "a backfill is one UPDATE, and nothing else", _CURE)
    for found, what in (
        (tree.withClause, "WITH, which would run again in every batch"),
        (tree.returningList, "RETURNING, which nobody would read"),
        (kind(tree.whereClause) == "CurrentOfExpr", "a cursor, which no other session has"),
        (not tree.relation.inh, "ONLY, which leaves out partitions"),
    ):
        if found:
            raise wrong(place, f"a backfill cannot have {what}", _CURE)
    read = _read_again(tree)
    if read:
        what = f"a backfill cannot read {', '.join(read)} of rows that batches before have written"
        raise wrong(place, what, _NAMED)
    head, condition = _cut(text, tree)
    trees = [tree, *(tree_of(query) for query in script.headers.verifies)]
    return Backfill(
        key_of(tree.relation),
        _called(tree.relation),
        head,
        condition,
        _assigned(tree),
        _named(trees),
        _functions(trees),
    )


def check_key(
    place: str, backfill: Backfill, relkind: str, *, parent: bool, key: Sequence[str]
) -> None:
    """Raise ``Refused`` unless every row of the table has one place along a key that stays."""
    table = dotted(backfill.table)
    if relkind not in ("r", "p") or (relkind == "r" and parent):
        raise _refused(place, f"{table} is no table of its own, or others inherit from it")
    if not key:
        raise _refused(place, f"{table} has no primary key to go along")
    moved = sorted(backfill.assigned & set(key))
    if moved:
        raise _refused(place, f"it changes {', '.join(moved)} of the primary key it goes along")


def check_seen(place: str, hidden: Sequence[tuple[str, bool]]) -> None:
    """Raise ``Refused`` where row-level security would keep rows from a backfill."""
    if not hidden:
        return
    names = ", ".join(name for name, _ in hidden)
    policies = " ".join(
        f"CREATE POLICY backfill ON {name} TO haven_owner USING (true);"
        for name, is_table in hidden
        if is_table
    )
    raise _refused(
        place,
        f"row-level security may keep rows from haven_owner in: {names}",
        f"Let a file before it say: {policies} And one after it: DROP POLICY. A backfill under "
        "row-level security names tables only, and functions that read none.",
    )


def _refused(place: str, what: str, cure: str = "Write the UPDATE as an ordinary file.") -> Refused:
    return Refused(f"{place}: it cannot be filled in batches: {what}.", left=UNTOUCHED, cure=cure)


def _called(relation: Any) -> str:
    return str(relation.alias.aliasname if relation.alias else relation.relname)


def _assigned(tree: Any) -> frozenset[str]:
    return frozenset(item.name for item in tree.targetList)


def _read_again(tree: Any) -> tuple[str, ...]:
    """Return the columns that the UPDATE writes, and also may read of rows other than its own.

    One UPDATE sees them as they were, and a batch as the batches before left them.
    """
    others = [item for item in _relations(tree) if item is not tree.relation]
    if all(item.relname != tree.relation.relname for item in others):
        return ()
    own = _called(tree.relation)
    hidden = any(_called(item) == own for item in others)
    found = set()
    for node in walk(tree):
        if kind(node) == "ColumnRef":
            *table, column = [getattr(field, "sval", "*") for field in node.fields]
            if hidden or own not in table:
                found.add(column)
    return tuple(sorted(found & (_assigned(tree) | {"*"})))


def _relations(tree: Any) -> Iterator[Any]:
    return (node for node in walk(tree) if kind(node) == "RangeVar")


def _cut(text: str, tree: Any) -> tuple[str, str | None]:
    """Cut an UPDATE at its WHERE, and prove that a condition put there is the only change."""
    from pglast import parser  # noqa: PLC0415  # a native library, see haven.migrations.script

    if tree.whereClause is None:
        return text, None
    depth = 0
    for token in parser.scan(text):
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(token.name, 0)
        if token.name == "WHERE" and not depth:
            head, condition = text[: token.start], text[token.end + 1 :]
            if _same_but_for(tree, tree_of(f"{head}{_PROBE}{condition}\n)")):
                return head, condition
    raise InvalidRequest(f"The WHERE of '{text[:40]} …' was not found.", left=UNTOUCHED, cure=_CURE)


def _same_but_for(tree: Any, probe: Any) -> bool:
    """Tell whether a probe is the statement with ``true AND (…)`` around its condition."""
    test = probe.whereClause
    if kind(test) != "BoolExpr" or len(test.args) != 2:  # noqa: PLR2004  # what the probe has
        return False
    probe.whereClause = test.args[1]
    return bool(probe == tree)


def _named(trees: Sequence[Any]) -> tuple[Key, ...]:
    found = (key_of(node) for tree in trees for node in _relations(tree))
    return tuple(dict.fromkeys(found))


def _functions(trees: Sequence[Any]) -> tuple[Key, ...]:
    calls = (node for tree in trees for node in walk(tree) if kind(node) == "FuncCall")
    return tuple(dict.fromkeys(key_of_path(node.funcname) for node in calls))
