"""The locks that statements take on tables (PostgreSQL, "Explicit Locking" and ALTER TABLE)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from haven.migrations.lint.known import WEAK, Known
from haven.migrations.lint.trees import Key, key_of, key_of_path, kind, run_by, walk


class Lock(IntEnum):
    """The modes of a table's lock, as PostgreSQL numbers them: the higher, the stronger."""

    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    @property
    def words(self) -> str:
        """The mode as SQL writes it."""
        return self.name.replace("_", " ")

    @property
    def keeps_out(self) -> str:
        """Whom it makes wait, of those who use a table; empty for nobody."""
        if self is Lock.ACCESS_EXCLUSIVE:
            return "reads and writes"
        return "writes" if self >= Lock.SHARE else ""


Taken = tuple[Key, Lock]
TRIGGERS = frozenset(
    f"AT_{word}Trig{which}" for word in ("Enable", "Disable") for which in ("", "All", "User")
) | {"AT_EnableAlwaysTrig", "AT_EnableReplicaTrig"}
RELATIONS = frozenset({"OBJECT_TABLE", "OBJECT_MATVIEW", "OBJECT_VIEW"})
ON_TABLES = frozenset({"OBJECT_POLICY", "OBJECT_TRIGGER", "OBJECT_RULE"})


def locks_of(node: Any, known: Known) -> dict[Key, Lock]:
    """Return the strongest lock that a statement takes on each relation it names.

    Left out is what the run itself makes, since nobody waits for that. Relations that a statement
    reaches unnamed, by CASCADE, as a partition, or through a foreign key or view, are not told.
    """
    strongest: dict[Key, Lock] = {}
    nodes = list(walk(node))
    own = _own_names(nodes)
    for key, lock in (*_taken(node, known), *_read(nodes)):
        table = known.table(key)
        full = table.key if table else key
        if full not in own and not known.new(full):
            strongest[full] = max(lock, strongest.get(full, lock))
    return strongest


def _taken(node: Any, known: Known) -> Iterator[Taken]:
    for item in run_by(node):
        taker = _TAKERS.get(kind(item))
        if taker:
            yield from taker(item, known)


def _read(nodes: list[Any]) -> Iterator[Taken]:
    """What a query or view reads; other statements only name their relations."""
    for query in nodes:
        if kind(query) == "SelectStmt":
            lock = Lock.ROW_SHARE if query.lockingClause else Lock.ACCESS_SHARE
            for item in walk(query.fromClause):
                if kind(item) == "RangeVar":
                    yield key_of(item), lock


def _own_names(nodes: list[Any]) -> set[Key]:
    """Return the names that the statement gives to its own queries, in WITH."""
    return {("", item.ctename) for item in nodes if kind(item) == "CommonTableExpr"}


def _alter_table(node: Any, _known: Known) -> Iterator[Taken]:
    key = key_of(node.relation)
    for command in node.cmds:
        name = command.subtype.name
        if name == "AT_AttachPartition":
            yield key, Lock.SHARE_UPDATE_EXCLUSIVE
            yield key_of(command.def_.name), Lock.ACCESS_EXCLUSIVE
        elif name == "AT_DetachPartition":
            weak = command.def_.concurrent
            yield key, Lock.SHARE_UPDATE_EXCLUSIVE if weak else Lock.ACCESS_EXCLUSIVE
            yield key_of(command.def_.name), Lock.ACCESS_EXCLUSIVE
        else:
            yield key, _of_command(command)
            yield from _referred_to(command.def_)


def _of_command(command: Any) -> Lock:
    name = command.subtype.name
    if name in WEAK:
        return Lock.SHARE_UPDATE_EXCLUSIVE
    foreign = name == "AT_AddConstraint" and command.def_.contype.name == "CONSTR_FOREIGN"
    if foreign or name in TRIGGERS:
        return Lock.SHARE_ROW_EXCLUSIVE
    return Lock.ACCESS_EXCLUSIVE


def _referred_to(node: Any) -> Iterator[Taken]:
    """The tables that new foreign keys lead to: they get triggers."""
    for item in walk(node):
        if kind(item) == "Constraint" and item.contype.name == "CONSTR_FOREIGN":
            yield key_of(item.pktable), Lock.SHARE_ROW_EXCLUSIVE


def _create_table(node: Any, _known: Known) -> Iterator[Taken]:
    for parent in node.inhRelations or ():
        part = node.partbound is not None
        yield key_of(parent), Lock.ACCESS_EXCLUSIVE if part else Lock.SHARE_UPDATE_EXCLUSIVE
    for key, lock in _referred_to((node.tableElts, node.constraints)):
        if key != key_of(node.relation):
            yield key, lock


def _create_index(node: Any, _known: Known) -> Iterator[Taken]:
    yield key_of(node.relation), Lock.SHARE_UPDATE_EXCLUSIVE if node.concurrent else Lock.SHARE


def _reindex(node: Any, known: Known) -> Iterator[Taken]:
    if node.relation is not None:
        concurrent = any(item.defname == "concurrently" for item in node.params or ())
        lock = Lock.SHARE_UPDATE_EXCLUSIVE if concurrent else Lock.SHARE
        key = key_of(node.relation)
        yield known.indexes.get(key[1], key), lock


def _drop(node: Any, known: Known) -> Iterator[Taken]:
    sort = node.removeType.name
    for path in node.objects:
        if sort in RELATIONS:
            yield key_of_path(path), Lock.ACCESS_EXCLUSIVE
        elif sort in ON_TABLES:
            yield key_of_path(path[:-1]), Lock.ACCESS_EXCLUSIVE
        elif sort == "OBJECT_INDEX":
            key = key_of_path(path)
            lock = Lock.SHARE_UPDATE_EXCLUSIVE if node.concurrent else Lock.ACCESS_EXCLUSIVE
            yield known.indexes.get(key[1], key), lock


def _rename(node: Any, _known: Known) -> Iterator[Taken]:
    # That of an index locks the index alone, and lets queries pass.
    if node.relation is not None and node.renameType.name != "OBJECT_INDEX":
        yield key_of(node.relation), Lock.ACCESS_EXCLUSIVE


def _view(node: Any, _known: Known) -> Iterator[Taken]:
    if node.replace:
        yield key_of(node.view), Lock.ACCESS_EXCLUSIVE


def _comment(node: Any, _known: Known) -> Iterator[Taken]:
    if node.objtype.name in RELATIONS:
        yield key_of_path(node.object), Lock.SHARE_UPDATE_EXCLUSIVE
    elif node.objtype.name == "OBJECT_COLUMN":
        yield key_of_path(node.object[:-1]), Lock.SHARE_UPDATE_EXCLUSIVE


def _vacuum(node: Any, _known: Known) -> Iterator[Taken]:
    full = any(item.defname == "full" for item in node.options or ())
    for item in node.rels or ():
        yield (
            key_of(item.relation),
            Lock.ACCESS_EXCLUSIVE if full else Lock.SHARE_UPDATE_EXCLUSIVE,
        )


def _refresh(node: Any, _known: Known) -> Iterator[Taken]:
    yield key_of(node.relation), Lock.EXCLUSIVE if node.concurrent else Lock.ACCESS_EXCLUSIVE


def _lock(node: Any, _known: Known) -> Iterator[Taken]:
    for relation in node.relations:
        yield key_of(relation), Lock(node.mode)


def _on(name: str, lock: Lock) -> Callable[[Any, Known], Iterator[Taken]]:
    """Take one lock on the relation, or each of those, that an attribute of the node holds."""

    def take(node: Any, _known: Known) -> Iterator[Taken]:
        found = getattr(node, name) or ()
        for relation in found if isinstance(found, tuple) else (found,):
            if kind(relation) == "RangeVar":
                yield key_of(relation), lock

    return take


_TAKERS: dict[str, Callable[[Any, Known], Iterator[Taken]]] = {
    "AlterTableStmt": _alter_table,
    "CreateStmt": _create_table,
    "IndexStmt": _create_index,
    "ReindexStmt": _reindex,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "ViewStmt": _view,
    "CommentStmt": _comment,
    "VacuumStmt": _vacuum,
    "RefreshMatViewStmt": _refresh,
    "LockStmt": _lock,
    "TruncateStmt": _on("relations", Lock.ACCESS_EXCLUSIVE),
    "ClusterStmt": _on("relation", Lock.ACCESS_EXCLUSIVE),
    "AlterObjectSchemaStmt": _on("relation", Lock.ACCESS_EXCLUSIVE),
    "CreatePolicyStmt": _on("table", Lock.ACCESS_EXCLUSIVE),
    "AlterPolicyStmt": _on("table", Lock.ACCESS_EXCLUSIVE),
    "RuleStmt": _on("relation", Lock.ACCESS_EXCLUSIVE),
    "CreateTrigStmt": _on("relation", Lock.SHARE_ROW_EXCLUSIVE),
    "CreateStatsStmt": _on("relations", Lock.SHARE_UPDATE_EXCLUSIVE),
    "InsertStmt": _on("relation", Lock.ROW_EXCLUSIVE),
    "UpdateStmt": _on("relation", Lock.ROW_EXCLUSIVE),
    "DeleteStmt": _on("relation", Lock.ROW_EXCLUSIVE),
    "MergeStmt": _on("relation", Lock.ROW_EXCLUSIVE),
}
