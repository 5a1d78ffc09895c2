"""Rules on ALTER TABLE: what waits, what is written anew, what is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.pastes import (
    filled_later,
    index_first,
    not_null_proven,
    unique_by_partition,
    unique_first,
    validated_by_partition,
    validated_later,
    with_default,
)
from haven.migrations.lint.trees import (
    Key,
    dotted,
    key_of,
    key_of_path,
    kind,
    quoted,
    type_of,
    walk,
    words_of,
)
from haven.migrations.lint.widening import keeps_rows

# Functions whose value is one for all rows of a statement (PostgreSQL: stable or immutable).
STEADY = frozenset(
    {
        "now",
        "transaction_timestamp",
        "statement_timestamp",
        "current_setting",
        "current_database",
        "make_date",
        "make_interval",
        "date_trunc",
        "lower",
        "upper",
        "jsonb_build_object",
        "jsonb_build_array",
        "to_jsonb",
    }
)
SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"})
REWRITING = frozenset({"AT_SetLogged", "AT_SetTableSpace", "AT_SetAccessMethod"})
UNSECURING = frozenset({"AT_DisableRowSecurity", "AT_NoForceRowSecurity"})
UNTRIGGERING = frozenset({"AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser"})
Command = Callable[[Any, Key, Known], Iterator[Found]]


def alter_table(node: Any, known: Known) -> Iterator[Found]:
    """Look at every command of an ALTER TABLE on a table that has rows."""
    key = key_of(node.relation)
    dropped = {item.name for item in node.cmds if item.subtype.name == "AT_DropConstraint"}
    for command in node.cmds:
        name = command.subtype.name
        if name in UNSECURING:
            yield Found("row-security-removed", dotted(key))
        elif name == "AT_SetUnLogged":
            yield Found("not-logged", dotted(key))
        elif node.objtype.name == "OBJECT_INDEX" and name == "AT_AttachPartition":
            # Of indexes, which takes no time.
            continue
        elif known.rowless(node.relation) and name == "AT_AddConstraint":
            continue
        elif not known.empty(key) and name == "AT_SetNotNull":
            yield from _set_not_null(command, key, known, dropped)
        elif not known.empty(key) and name in _COMMANDS:
            yield from _COMMANDS[name](command, key, known)


def _add_column(command: Any, key: Key, known: Known) -> Iterator[Found]:
    column = command.def_
    subject = f"{dotted(key)}.{column.colname}"
    table, kinds = dotted(key), {item.contype.name: item for item in column.constraints or ()}
    default = kinds.get("CONSTR_DEFAULT")
    own_value = bool({"CONSTR_IDENTITY", "CONSTR_GENERATED"} & kinds.keys())
    serial = type_of(column.typeName) in SERIAL
    if serial or own_value or (default is not None and not _steady(default.raw_expr)):
        yield Found("default-rewrites", subject, filled_later(key, column, default))
    if key_of_path(column.typeName.names) in known.checked_domains:
        yield Found("rewritten-under-lock", table)
    required = {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} & kinds.keys()
    if required and default is None and not own_value and not serial:
        yield Found("column-required", subject, with_default(key, column))
    yield from _column_constraints(key, column, kinds, filled=default is not None or own_value)


def _column_constraints(
    key: Key, column: Any, kinds: Mapping[str, Any], *, filled: bool
) -> Iterator[Found]:
    if {"CONSTR_UNIQUE", "CONSTR_PRIMARY"} & kinds.keys():
        paste = index_first(key, [column.colname])
        yield Found("constraint-builds-index", dotted(key), paste)
    if "CONSTR_FOREIGN" in kinds and filled:
        yield Found("foreign-key-scans", dotted(key))
    if "CONSTR_CHECK" in kinds and filled:
        yield Found("check-scans", dotted(key))


def _steady(value: Any) -> bool:
    """Tell whether a default is one value for all rows, as far as that can be told."""
    return all(
        key_of_path(node.funcname)[0] in ("", "pg_catalog")
        and words_of(node.funcname)[-1] in STEADY
        for node in walk(value)
        if kind(node) == "FuncCall"
    )


def _add_constraint(command: Any, key: Key, known: Known) -> Iterator[Found]:
    constraint, table = command.def_, dotted(key)
    sort, parent = constraint.contype.name, known.partitioned(key)
    if sort in ("CONSTR_CHECK", "CONSTR_FOREIGN") and not constraint.skip_validation:
        hazard = "check-scans" if sort == "CONSTR_CHECK" else "foreign-key-scans"
        by_parts = parent and sort == "CONSTR_FOREIGN"
        paste = (validated_by_partition if by_parts else validated_later)(key, constraint)
        yield Found(hazard, table, paste)
    elif sort in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and not constraint.indexname:
        paste = (unique_by_partition if parent else unique_first)(key, constraint)
        yield Found("constraint-builds-index", table, paste)
    elif sort == "CONSTR_EXCLUSION":
        yield Found("exclusion-builds-index", table)


def _validate(command: Any, key: Key, known: Known) -> Iterator[Found]:
    if known.transactional and (key, command.name) in known.unproven:
        paste = f"ALTER TABLE {quoted(key)} VALIDATE CONSTRAINT {quoted(('', command.name))};"
        yield Found("validated-under-lock", dotted(key), paste)


def _set_not_null(
    command: Any, key: Key, known: Known, dropped: Collection[str]
) -> Iterator[Found]:
    """A proof that the same statement drops is none: PostgreSQL drops first."""
    table = known.table(key)
    proven = table and any(
        column == command.name and name in table.proven and name not in dropped
        for name, column in table.not_null.items()
    )
    if not proven:
        paste = not_null_proven(key, command.name)
        yield Found("not-null-scans", f"{dotted(key)}.{command.name}", paste)


def _retype(command: Any, key: Key, known: Known) -> Iterator[Found]:
    table, column = known.table(key), command.def_
    before = table.columns.get(command.name, "") if table else ""
    after = type_of(column.typeName)
    plain = column.raw_default is None and column.collClause is None
    if not (plain and keeps_rows(before, after)):
        yield Found("type-change-rewrites", f"{dotted(key)}.{command.name}")
    elif table and command.name in table.checked:
        # Its checks are made anew with it.
        yield Found("check-scans", dotted(key))


def _drop_column(command: Any, key: Key, _known: Known) -> Iterator[Found]:
    yield Found("drop-loses-data", f"{dotted(key)}.{command.name}")


def _drop_constraint(command: Any, key: Key, known: Known) -> Iterator[Found]:
    table = known.table(key)
    if table is None or command.name not in table.not_null:
        yield Found("guard-dropped", f"the constraint {command.name} of {dotted(key)}")


def _detach(command: Any, key: Key, _known: Known) -> Iterator[Found]:
    if not command.def_.concurrent:
        part = key_of(command.def_.name)
        paste = f"ALTER TABLE {quoted(key)} DETACH PARTITION {quoted(part)} CONCURRENTLY;"
        yield Found("detach-blocks", dotted(part), paste)


def _attach(command: Any, _key: Key, known: Known) -> Iterator[Found]:
    part = key_of(command.def_.name)
    if not known.empty(part):
        yield Found("attach-scans", dotted(part))


def _rewrite(_command: Any, key: Key, _known: Known) -> Iterator[Found]:
    yield Found("rewritten-under-lock", dotted(key))


def _triggers(_command: Any, key: Key, _known: Known) -> Iterator[Found]:
    yield Found("triggers-off", dotted(key))


_COMMANDS: dict[str, Command] = {
    "AT_AddColumn": _add_column,
    "AT_AddConstraint": _add_constraint,
    "AT_ValidateConstraint": _validate,
    "AT_AlterColumnType": _retype,
    "AT_DropColumn": _drop_column,
    "AT_DropConstraint": _drop_constraint,
    "AT_DetachPartition": _detach,
    "AT_AttachPartition": _attach,
    **dict.fromkeys(REWRITING, _rewrite),
    **dict.fromkeys(UNTRIGGERING, _triggers),
}
