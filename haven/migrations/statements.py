"""What a statement is, by PostgreSQL's own grammar: what it forbids and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OUTSIDE = (
    "VacuumStmt",
    "CreatedbStmt",
    "DropdbStmt",
    "CreateTableSpaceStmt",
    "DropTableSpaceStmt",
    "CreateSubscriptionStmt",
    "DropSubscriptionStmt",
    "CallStmt",
    "DoStmt",
)
ALLOWED_INSIDE = frozenset({"CallStmt", "DoStmt"})


@dataclass(frozen=True, slots=True)
class IndexChange:
    """An index that a statement makes or drops CONCURRENTLY; ``schema`` empty: search path."""

    creates: bool
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What a statement rebuilds CONCURRENTLY: a table or index; empty for more than one of them."""

    schema: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Detachment:
    """A partition that a statement detaches CONCURRENTLY; a schema that is empty: search path."""

    parent: tuple[str, str]
    part: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Traits:
    """What the runner has to know of a statement.

    ``forbidden`` is a reason why no migration may hold it, with the cure. ``outside`` names
    what cannot run inside a transaction. ``alone`` is set for what a non-transactional file
    runs in no transaction of ours; all else shares one with its progress in the ledger.
    """

    forbidden: tuple[str, str] | None = None
    outside: str = ""
    alone: bool = False
    concurrent: bool = False
    setting: bool = False
    index: IndexChange | None = None
    rebuild: Rebuild | None = None
    detachment: Detachment | None = None


def traits_of(node: Any) -> Traits:
    """Return the traits of one parsed statement."""
    kind = type(node).__name__
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(node)
    if kind in ALLOWED_INSIDE:
        return Traits(alone=True)
    if kind in OUTSIDE:
        return Traits(outside=_spoken(kind), alone=True)
    return Traits()


def _spoken(kind: str) -> str:
    return {
        "VacuumStmt": "VACUUM",
        "CreatedbStmt": "CREATE DATABASE",
        "DropdbStmt": "DROP DATABASE",
        "CreateTableSpaceStmt": "CREATE TABLESPACE",
        "DropTableSpaceStmt": "DROP TABLESPACE",
        "CreateSubscriptionStmt": "CREATE SUBSCRIPTION",
        "DropSubscriptionStmt": "DROP SUBSCRIPTION",
    }[kind]


def _transaction(_node: Any) -> Traits:
    return Traits(
        forbidden=(
            (
                "it begins or ends a transaction, and the runner does that: each file is one "
                "transaction, together with its row in the ledger"
            ),
            (
                "Remove BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the like; a file that must not be one "
                "transaction has the header '-- haven: non-transactional'."
            ),
        )
    )


def _copy(node: Any) -> Traits:
    if node.filename is not None or node.is_program:
        return Traits(
            forbidden=(
                "COPY with a file or a program of the server is not possible on RDS",
                "Use INSERT … VALUES.",
            )
        )
    if node.is_from:
        return Traits(
            forbidden=(
                "COPY … FROM STDIN needs data that only psql would send",
                "Use INSERT … VALUES, or load the data by a program of its own.",
            )
        )
    return Traits(
        forbidden=("COPY … TO STDOUT has nobody to send rows to", "Remove the statement.")
    )


def _alter_system(_node: Any) -> Traits:
    return Traits(
        forbidden=(
            "ALTER SYSTEM cannot run in a transaction, and on RDS it cannot run at all",
            "Put the parameter into the stack file, whose parameter group sets it.",
        )
    )


def _discard(node: Any) -> Traits:
    if node.target.name == "DISCARD_ALL":
        return Traits(
            forbidden=(
                "DISCARD ALL cannot run in a transaction and gives up the runner's lock",
                "Remove it; every file begins with fresh settings.",
            )
        )
    return Traits()


def _vacuum(node: Any) -> Traits:
    return Traits(outside="VACUUM", alone=True) if node.is_vacuumcmd else Traits()


def _cluster(node: Any) -> Traits:
    return Traits() if node.relation else Traits(outside="CLUSTER without a table", alone=True)


def _create_index(node: Any) -> Traits:
    if not node.concurrent:
        return Traits()
    if not node.idxname:
        return Traits(
            forbidden=(
                "CREATE INDEX CONCURRENTLY without a name cannot be recognised after a crash",
                "Name the index.",
            )
        )
    index = IndexChange(creates=True, schema=node.relation.schemaname or "", name=str(node.idxname))
    return Traits(outside="CREATE INDEX CONCURRENTLY", alone=True, concurrent=True, index=index)


def _drop(node: Any) -> Traits:
    if not node.concurrent:
        return Traits()
    path = [str(part.sval) for part in node.objects[0]]
    schema = path[-2] if len(path) > 1 else ""
    index = IndexChange(creates=False, schema=schema, name=path[-1])
    return Traits(outside="DROP INDEX CONCURRENTLY", alone=True, concurrent=True, index=index)


def _reindex(node: Any) -> Traits:
    options = {option.defname for option in node.params or ()}
    if "concurrently" in options:
        rebuild = Rebuild(*_path_of(node.relation)) if node.relation else Rebuild()
        return Traits(outside="REINDEX CONCURRENTLY", alone=True, concurrent=True, rebuild=rebuild)
    if node.relation is None:
        return Traits(outside="REINDEX of a schema or database", alone=True)
    return Traits()


def _alter_table(node: Any) -> Traits:
    for command in node.cmds or ():
        if getattr(command.def_, "concurrent", False):
            detached = Detachment(_path_of(node.relation), _path_of(command.def_.name))
            return Traits(
                outside="DETACH PARTITION … CONCURRENTLY",
                alone=True,
                concurrent=True,
                detachment=detached,
            )
    return Traits()


def _path_of(relation: Any) -> tuple[str, str]:
    return (str(relation.schemaname or ""), str(relation.relname))


def _alter_database(node: Any) -> Traits:
    if any(option.defname == "tablespace" for option in node.options or ()):
        return Traits(outside="ALTER DATABASE … SET TABLESPACE", alone=True)
    return Traits()


def _set(node: Any) -> Traits:
    return Traits(setting=not node.is_local)


_SPECIAL: dict[str, Callable[[Any], Traits]] = {
    "TransactionStmt": _transaction,
    "CopyStmt": _copy,
    "AlterSystemStmt": _alter_system,
    "DiscardStmt": _discard,
    "VacuumStmt": _vacuum,
    "ClusterStmt": _cluster,
    "IndexStmt": _create_index,
    "DropStmt": _drop,
    "ReindexStmt": _reindex,
    "AlterTableStmt": _alter_table,
    "AlterDatabaseStmt": _alter_database,
    "VariableSetStmt": _set,
}
