"""What a statement costs by the rows it meets: nothing, a look at each, or each written anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any

from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import key_of, kind


class Toll(IntEnum):
    """How much work the rows of a table are; the more, the higher."""

    NONE = 0
    READS = 1
    BUILDS = 2
    REWRITES = 3

    @property
    def words(self) -> str:
        """Say it of the statement; empty for no work."""
        return _WORDS[self]


_WORDS = {
    Toll.NONE: "",
    Toll.READS: "reads every row",
    Toll.BUILDS: "builds an index",
    Toll.REWRITES: "writes every row anew",
}
_OF_HAZARDS = {
    "not-null-scans": Toll.READS,
    "check-scans": Toll.READS,
    "foreign-key-scans": Toll.READS,
    "validated-under-lock": Toll.READS,
    "attach-scans": Toll.READS,
    "domain-scans": Toll.READS,
    "column-required": Toll.READS,
    "index-blocks-writes": Toll.BUILDS,
    "reindex-blocks": Toll.BUILDS,
    "constraint-builds-index": Toll.BUILDS,
    "exclusion-builds-index": Toll.BUILDS,
    "type-change-rewrites": Toll.REWRITES,
    "default-rewrites": Toll.REWRITES,
    "rewritten-under-lock": Toll.REWRITES,
    "refresh-blocks": Toll.REWRITES,
    "every-row-written": Toll.REWRITES,
}


def toll_of(node: Any, known: Known) -> Toll:
    """Return what a statement costs that does its work without being a hazard."""
    tell = _OF_KINDS.get(kind(node))
    relation = getattr(node, "relation", None)
    if tell is None or (relation is not None and _meets_nothing(relation, known)):
        return Toll.NONE
    return tell(node)


def _meets_nothing(relation: Any, known: Known) -> bool:
    return known.empty(key_of(relation)) or known.rowless(relation)


def _alter_table(node: Any) -> Toll:
    return max(_OF_COMMANDS.get(command.subtype.name, Toll.NONE) for command in node.cmds)


_OF_COMMANDS = {"AT_ValidateConstraint": Toll.READS, "AT_SetUnLogged": Toll.REWRITES}
_OF_KINDS: dict[str, Callable[[Any], Toll]] = {
    "AlterTableStmt": _alter_table,
    "IndexStmt": lambda _: Toll.BUILDS,
    "ReindexStmt": lambda _: Toll.BUILDS,
    "RefreshMatViewStmt": lambda node: Toll.READS if node.concurrent else Toll.REWRITES,
    "VacuumStmt": lambda node: Toll.READS if node.is_vacuumcmd else Toll.NONE,
}


def whole_toll(own: Toll, hazards: Iterable[str]) -> Toll:
    """Return the cost of a statement, by its own kind and by the hazards found in it."""
    return max([own, *(_OF_HAZARDS.get(name, Toll.NONE) for name in hazards)])
