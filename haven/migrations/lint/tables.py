"""Rules on ALTER TABLE: what waits, what is written anew, what is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import (
    Key,
    dotted,
    expression,
    key_of,
    kind,
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
        elif not known.empty(key) and name == "AT_SetNotNull":
            yield from _set_not_null(command, key, known, dropped)
        elif not known.empty(key) and name in _COMMANDS:
            yield from _COMMANDS[name](command, key, known)


def _add_column(command: Any, key: Key, _known: Known) -> Iterator[Found]:
    column = command.def_
    subject = f"{dotted(key)}.{column.colname}"
    table, kinds = dotted(key), {item.contype.name: item for item in column.constraints or ()}
    default = kinds.get("CONSTR_DEFAULT")
    own_value = bool({"CONSTR_IDENTITY", "CONSTR_GENERATED"} & kinds.keys())
    serial = type_of(column.typeName) in SERIAL
    if serial or own_value or (default is not None and not _steady(default.raw_expr)):
        yield Found("default-rewrites", subject, _filled_later(table, column, default))
    required = {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} & kinds.keys()
    if required and default is None and not own_value and not serial:
        paste = f"ALTER TABLE {table} ADD COLUMN {column.colname} {type_of(column.typeName)} NOT NULL DEFAULT …;"
        yield Found("column-required", subject, paste)
    if {"CONSTR_UNIQUE", "CONSTR_PRIMARY"} & kinds.keys():
        yield Found("constraint-builds-index", table, _index_first(table, [column.colname]))
    foreign = kinds.get("CONSTR_FOREIGN")
    if foreign is not None and (default is not None or own_value):
        yield Found("foreign-key-scans", table)
    if "CONSTR_CHECK" in kinds and (default is not None or own_value):
        yield Found("check-scans", table)


def _filled_later(table: str, column: Any, default: Any) -> str:
    if default is None:
        return ""
    name, value = column.colname, expression(default.raw_expr)
    return (
        f"ALTER TABLE {table} ADD COLUMN {name} {type_of(column.typeName)};\n"
        f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {value};"
    )


def _steady(value: Any) -> bool:
    """Tell whether a default is one value for all rows, as far as that can be told."""
    return all(
        words_of(node.funcname)[-1] in STEADY for node in walk(value) if kind(node) == "FuncCall"
    )


def _add_constraint(command: Any, key: Key, _known: Known) -> Iterator[Found]:
    constraint, table = command.def_, dotted(key)
    sort = constraint.contype.name
    if sort in ("CONSTR_CHECK", "CONSTR_FOREIGN") and not constraint.skip_validation:
        hazard = "check-scans" if sort == "CONSTR_CHECK" else "foreign-key-scans"
        yield Found(hazard, table, _validated_later(table, constraint))
    elif sort in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and not constraint.indexname:
        columns = words_of(constraint.keys)
        yield Found("constraint-builds-index", table, _index_first(table, columns, sort))
    elif sort == "CONSTR_EXCLUSION":
        yield Found("exclusion-builds-index", table)


def _validated_later(table: str, constraint: Any) -> str:
    name = constraint.conname or "a_name"
    if constraint.contype.name == "CONSTR_CHECK":
        body = f"CHECK ({expression(constraint.raw_expr)})"
    else:
        columns = ", ".join(words_of(constraint.fk_attrs))
        target = ", ".join(words_of(constraint.pk_attrs))
        body = f"FOREIGN KEY ({columns}) REFERENCES {dotted(key_of(constraint.pktable))}"
        body += f" ({target})" if target else ""
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {name} {body} NOT VALID;\n"
        f"-- in the next file:\nALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    )


def _index_first(table: str, columns: list[str], sort: str = "CONSTR_UNIQUE") -> str:
    name = "_".join([table.rpartition(".")[2], *columns, "key"])
    word = "PRIMARY KEY" if sort == "CONSTR_PRIMARY" else "UNIQUE"
    return (
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({', '.join(columns)});\n"
        f"-- in the next file:\nALTER TABLE {table} ADD CONSTRAINT {name} {word} USING INDEX {name};"
    )


def _validate(command: Any, key: Key, known: Known) -> Iterator[Found]:
    if known.transactional and (key, command.name) in known.unproven:
        paste = f"ALTER TABLE {dotted(key)} VALIDATE CONSTRAINT {command.name};"
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
        text, name = dotted(key), f"{command.name}_not_null"
        paste = (
            f"ALTER TABLE {text} ADD CONSTRAINT {name} CHECK ({command.name} IS NOT NULL) NOT VALID;\n"
            f"-- in the next file:\nALTER TABLE {text} VALIDATE CONSTRAINT {name};\n"
            f"-- in the file after that:\nALTER TABLE {text} ALTER COLUMN {command.name} SET NOT NULL;\n"
            f"ALTER TABLE {text} DROP CONSTRAINT {name};"
        )
        yield Found("not-null-scans", f"{text}.{command.name}", paste)


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
        part = dotted(key_of(command.def_.name))
        paste = f"ALTER TABLE {dotted(key)} DETACH PARTITION {part} CONCURRENTLY;"
        yield Found("detach-blocks", part, paste)


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
