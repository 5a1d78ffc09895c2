"""What is known of the schema while migrations are read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from haven.migrations.lint.trees import (
    Key,
    expression,
    key_of,
    key_of_path,
    kind,
    type_of,
    walk,
)

# What ALTER TABLE does under a lock that lets reads and writes pass (PostgreSQL, ALTER TABLE).
WEAK = frozenset(
    {
        "AT_ValidateConstraint",
        "AT_SetStatistics",
        "AT_SetOptions",
        "AT_ResetOptions",
        "AT_SetRelOptions",
        "AT_ResetRelOptions",
        "AT_ClusterOn",
        "AT_DropCluster",
        "AT_AttachPartition",
    }
)


BINDING = frozenset({"CONSTR_CHECK", "CONSTR_NOTNULL"})
# What tells that rows are of patients: the name of a table, or a column.
PATIENTS = "patients"
OF_PATIENTS = "patient_id"


@dataclass(slots=True)
class Table:
    """A table: its columns' types, its constraints that prove a column to be not null, its guards.

    ``empty`` holds for one that this run makes; ``part`` for a partition, which is guarded
    through its parent; ``partitioned`` for such a parent; ``copied`` for one that was filled with
    rows of patients; ``view`` for a materialized view, which cannot be guarded; ``new`` for what
    this run makes, with rows or without, which nobody else uses.
    """

    key: Key
    empty: bool
    part: bool = False
    partitioned: bool = False
    copied: bool = False
    view: bool = False
    new: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    not_null: dict[str, str] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)
    checks: dict[str, set[str]] = field(default_factory=dict)
    secured: set[str] = field(default_factory=set)

    @property
    def personal(self) -> bool:
        """Whether its rows are of patients."""
        return self.copied or self.key[1] == PATIENTS or OF_PATIENTS in self.columns

    @property
    def checked(self) -> set[str]:
        """The columns that a CHECK looks at which holds for the rows that are there."""
        return {column for name in self.proven for column in self.checks.get(name, ())}


@dataclass(slots=True)
class Known:
    """The tables and indexes that the files make, and what the file at hand has done so far."""

    pending: bool = False
    transactional: bool = True
    tables: dict[Key, Table] = field(default_factory=dict)
    indexes: dict[str, Key] = field(default_factory=dict)
    # Types whose constraints are checked of every row that gets a column of them.
    checked_domains: set[Key] = field(default_factory=set)
    # Constraints added NOT VALID by the file at hand.
    unproven: set[tuple[Key, str]] = field(default_factory=set)
    # Tables with rows that it has locked against all use, until it ends.
    locked: set[Key] = field(default_factory=set)

    def table(self, key: Key) -> Table | None:
        """Return a table; one written without its schema is found when it is the only one."""
        if key in self.tables:
            return self.tables[key]
        same = [item for item in self.tables.values() if item.key[1] == key[1]]
        return same[0] if len(same) == 1 and "" in (key[0], same[0].key[0]) else None

    def empty(self, key: Key) -> bool:
        """Tell whether a table is made by this run, so that nothing is in it and nobody waits."""
        table = self.table(key)
        return table is not None and table.empty

    def new(self, key: Key) -> bool:
        """Tell whether a table is made by this run, so that nobody waits for it."""
        table = self.table(key)
        return table is not None and table.new

    def partitioned(self, key: Key) -> bool:
        """Tell whether a table is the parent of partitions."""
        table = self.table(key)
        return table is not None and table.partitioned

    def rowless(self, relation: Any) -> bool:
        """Tell whether a statement says ONLY of the parent of partitions, which has no rows."""
        return not relation.inh and self.partitioned(key_of(relation))

    def empty_index(self, name: str) -> bool:
        """Tell whether an index is on such a table."""
        return name in self.indexes and self.empty(self.indexes[name])

    def begin(self, *, pending: bool, transactional: bool) -> None:
        """Turn to the next file."""
        self.pending, self.transactional = pending, transactional
        self.unproven = set()
        self.locked = set()

    def learn(self, node: Any) -> None:
        """Take in what a statement does to the schema."""
        learn = _LEARN.get(kind(node))
        if learn:
            learn(self, node)


def _create_table(known: Known, node: Any) -> None:
    key = key_of(node.relation)
    if node.if_not_exists and known.table(key):
        # The one that is there stays, with its rows.
        return
    part, partitioned = node.partbound is not None, node.partspec is not None
    table = Table(key, known.pending, part, partitioned, new=known.pending)
    known.tables[key] = table
    for parent in node.inhRelations or ():
        _copy_columns(known, parent, table)
    for item in node.tableElts or ():
        if kind(item) == "ColumnDef":
            table.columns[item.colname] = type_of(item.typeName)
        elif kind(item) == "TableLikeClause":
            _copy_columns(known, item.relation, table)


def _copy_columns(known: Known, source: Any, table: Table) -> None:
    model = known.table(key_of(source))
    if model:
        table.columns |= model.columns


def _create_as(known: Known, node: Any) -> None:
    # What it is made from has rows, and so has the new table: it is not empty.
    key = key_of(node.into.rel)
    copied, view = _shows_patients(known, node.query), node.objtype.name == "OBJECT_MATVIEW"
    known.tables[key] = Table(key, empty=False, copied=copied, view=view, new=known.pending)


def _select(known: Known, node: Any) -> None:
    if node.intoClause is not None:
        key = key_of(node.intoClause.rel)
        copied = _shows_patients(known, node)
        known.tables[key] = Table(key, empty=False, copied=copied, new=known.pending)


def _shows_patients(known: Known, query: Any) -> bool:
    """Tell whether a query returns rows of patients, as far as their tables are known."""
    nodes = list(walk(query))
    sources = [known.table(key_of(item)) for item in nodes if kind(item) == "RangeVar"]
    if not any(table and table.personal for table in sources):
        return False
    shown = list(walk(getattr(query, "targetList", None)))
    columns = {_last_word(item) for item in shown if kind(item) == "ColumnRef"}
    counted = getattr(query, "groupClause", None) is not None
    named = any(table and table.key[1] == PATIENTS for table in sources)
    return bool(columns & {"*", OF_PATIENTS}) or (named and bool(columns) and not counted)


def _last_word(column: Any) -> str:
    last = column.fields[-1]
    return "*" if kind(last) == "A_Star" else str(last.sval)


def _create_domain(known: Known, node: Any) -> None:
    if any(item.contype.name in BINDING for item in node.constraints or ()):
        known.checked_domains.add(key_of_path(node.domainname))


def _alter_domain(known: Known, node: Any) -> None:
    if node.subtype in ("C", "O"):
        known.checked_domains.add(key_of_path(node.typeName))


def _create_index(known: Known, node: Any) -> None:
    if node.idxname:
        known.indexes[node.idxname] = key_of(node.relation)


def _rename(known: Known, node: Any) -> None:
    table = known.table(key_of(node.relation)) if node.relation else None
    if table is None:
        return
    if node.renameType.name == "OBJECT_COLUMN" and node.subname in table.columns:
        table.columns[node.newname] = table.columns.pop(node.subname)
    if node.renameType.name == "OBJECT_TABLE":
        known.tables.pop(table.key)
        table.key = (table.key[0], node.newname)
        known.tables[table.key] = table


def _drop(known: Known, node: Any) -> None:
    if node.removeType.name == "OBJECT_TABLE":
        for path in node.objects:
            table = known.table(key_of_path(path))
            if table:
                known.tables.pop(table.key)


def _alter(known: Known, node: Any) -> None:
    table = known.table(key_of(node.relation))
    if table is None:
        # It was there before these files.
        table = Table(key_of(node.relation), empty=False)
        known.tables[table.key] = table
    for command in node.cmds:
        if known.transactional and not table.empty and command.subtype.name not in WEAK:
            known.locked.add(table.key)
        change = _CHANGES.get(command.subtype.name)
        if change:
            change(known, table, command)


def _add_column(_known: Known, table: Table, command: Any) -> None:
    table.columns[command.def_.colname] = type_of(command.def_.typeName)


def _drop_column(_known: Known, table: Table, command: Any) -> None:
    table.columns.pop(command.name, None)


def _retype(_known: Known, table: Table, command: Any) -> None:
    table.columns[command.name] = type_of(command.def_.typeName)


def _add_constraint(known: Known, table: Table, command: Any) -> None:
    constraint = command.def_
    if not constraint.conname:
        return
    column = _never_null(constraint)
    if column:
        table.not_null[constraint.conname] = column
    table.checks[constraint.conname] = set(_columns(constraint.raw_expr))
    if constraint.skip_validation:
        known.unproven.add((table.key, constraint.conname))
    else:
        table.proven.add(constraint.conname)


def _never_null(constraint: Any) -> str:
    """Return the column that a CHECK (column IS NOT NULL) is about."""
    test = constraint.raw_expr
    if kind(test) == "NullTest" and test.nulltesttype.name == "IS_NOT_NULL":
        return expression(test.arg).strip('"')
    return ""


def _columns(test: Any) -> Iterator[str]:
    for node in walk(test):
        if kind(node) == "ColumnRef":
            yield _last_word(node)


def _validate(_known: Known, table: Table, command: Any) -> None:
    table.proven.add(command.name)


def _drop_constraint(_known: Known, table: Table, command: Any) -> None:
    table.not_null.pop(command.name, None)
    table.checks.pop(command.name, None)
    table.proven.discard(command.name)


def _secure(_known: Known, table: Table, command: Any) -> None:
    table.secured.add(command.subtype.name)


def _attach(known: Known, _table: Table, command: Any) -> None:
    part = known.table(key_of(command.def_.name))
    if part:
        part.part = True


_CHANGES = {
    "AT_AddColumn": _add_column,
    "AT_DropColumn": _drop_column,
    "AT_AlterColumnType": _retype,
    "AT_AddConstraint": _add_constraint,
    "AT_ValidateConstraint": _validate,
    "AT_DropConstraint": _drop_constraint,
    "AT_EnableRowSecurity": _secure,
    "AT_ForceRowSecurity": _secure,
    "AT_AttachPartition": _attach,
}
_LEARN = {
    "CreateStmt": _create_table,
    "CreateTableAsStmt": _create_as,
    "SelectStmt": _select,
    "CreateDomainStmt": _create_domain,
    "AlterDomainStmt": _alter_domain,
    "IndexStmt": _create_index,
    "RenameStmt": _rename,
    "DropStmt": _drop,
    "AlterTableStmt": _alter,
}
