"""Rules on indexes, new tables, and what is renamed, dropped or handed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import (
    dotted,
    expression,
    key_of,
    key_of_path,
    kind,
    type_of,
    words_of,
    written,
)

OWNER = "haven_owner"
SMALL = frozenset({"int4", "int2", "serial", "smallserial", "serial4", "serial2"})
# Amazon RDS, Exporting DB snapshot data: characters that a table or column is left out for.
UNEXPORTED_TABLE = re.compile(r"/")
UNEXPORTED_COLUMN = re.compile(r"[,;{}()\n\t= ]")
# What a drop or rename of it loses: rows, or the clients that use it.
WITH_ROWS = frozenset({"OBJECT_TABLE", "OBJECT_SCHEMA", "OBJECT_MATVIEW", "OBJECT_SEQUENCE"})
GUARDS = frozenset({"OBJECT_POLICY", "OBJECT_TRIGGER", "OBJECT_RULE"})
USED = frozenset(
    {"OBJECT_VIEW", "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_TYPE", "OBJECT_DOMAIN"}
)


def create_index(node: Any, known: Known) -> Iterator[Found]:
    """An index on a table that has rows."""
    if node.concurrent or known.empty(key_of(node.relation)):
        return
    node.concurrent = True
    paste = written(node)
    node.concurrent = False
    yield Found("index-blocks-writes", dotted(key_of(node.relation)), paste)


def drop(node: Any, known: Known) -> Iterator[Found]:
    """DROP of whatever it is."""
    sort = node.removeType.name
    for path in node.objects:
        if sort == "OBJECT_INDEX":
            yield from _drop_index(node, key_of_path(path)[1], known)
        elif sort in ("OBJECT_TABLE", "OBJECT_MATVIEW") and known.empty(key_of_path(path)):
            continue
        elif sort in WITH_ROWS:
            yield Found("drop-loses-data", _name_of(path))
        elif sort in USED:
            yield Found("drop-breaks", _name_of(path))
        elif sort in GUARDS and not known.empty(key_of_path(path[:-1])):
            hazard = "row-security-removed" if sort == "OBJECT_POLICY" else "triggers-off"
            yield Found(hazard, dotted(key_of_path(path[:-1])))


def _drop_index(node: Any, name: str, known: Known) -> Iterator[Found]:
    if not node.concurrent and not known.empty_index(name):
        yield Found("drop-index-blocks", name, f"DROP INDEX CONCURRENTLY {name};")


def _name_of(item: Any) -> str:
    """Name what is dropped: a path, a type, a function with its arguments, or a word."""
    if kind(item) == "TypeName":
        return type_of(item)
    if kind(item) == "ObjectWithArgs":
        return ".".join(words_of(item.objname))
    return ".".join(words_of(item)) if isinstance(item, tuple) else str(item.sval)


def rename(node: Any, known: Known) -> Iterator[Found]:
    """RENAME of what clients know by its name."""
    sort = node.renameType.name
    key = key_of(node.relation) if node.relation else ("", "")
    if known.empty(key) or sort in ("OBJECT_INDEX", "OBJECT_TABCONSTRAINT", *GUARDS):
        return
    if sort == "OBJECT_COLUMN":
        yield Found("rename-breaks", f"{dotted(key)}.{node.subname}")
    elif node.relation:
        yield Found("rename-breaks", dotted(key))
    elif sort == "OBJECT_SCHEMA":
        yield Found("rename-breaks", node.subname)
    else:
        yield Found("rename-breaks", _name_of(node.object))


def rename_value(node: Any, _known: Known) -> Iterator[Found]:
    """ALTER TYPE … RENAME VALUE."""
    if node.oldVal:
        yield Found("rename-breaks", f"{'.'.join(words_of(node.typeName))} '{node.oldVal}'")


def create_table(node: Any, _known: Known) -> Iterator[Found]:
    """A new table: whether it is logged, exported, and can grow."""
    table = dotted(key_of(node.relation))
    yield from _persistence(node.relation)
    if UNEXPORTED_TABLE.search(node.relation.relname):
        yield Found("export-skips", table)
    columns = [item for item in node.tableElts or () if kind(item) == "ColumnDef"]
    for column in columns:
        if UNEXPORTED_COLUMN.search(column.colname):
            yield Found("export-skips", f"{table}.{column.colname}")
    keys = _key_columns(node)
    for column in columns:
        if column.colname in keys and type_of(column.typeName) in SMALL:
            yield Found("key-too-small", f"{table}.{column.colname}")


def create_as(node: Any, _known: Known) -> Iterator[Found]:
    """CREATE TABLE AS: only whether the new table is logged."""
    yield from _persistence(node.into.rel)


def _persistence(relation: Any) -> Iterator[Found]:
    if relation.relpersistence == "u":
        yield Found("not-logged", dotted(key_of(relation)))
    elif relation.relpersistence == "t":
        yield Found("temporary-table", dotted(key_of(relation)))


def _key_columns(node: Any) -> set[str]:
    keys = {
        column.colname
        for column in node.tableElts or ()
        if kind(column) == "ColumnDef"
        and any(item.contype.name == "CONSTR_PRIMARY" for item in column.constraints or ())
    }
    for item in node.tableElts or ():
        if kind(item) == "Constraint" and item.contype.name == "CONSTR_PRIMARY":
            keys.update(words_of(item.keys))
    return keys


def add_named_column(node: Any, _known: Known) -> Iterator[Found]:
    """A new column whose name the export of snapshots leaves out."""
    for command in node.cmds:
        if command.subtype.name == "AT_AddColumn" and UNEXPORTED_COLUMN.search(
            command.def_.colname
        ):
            yield Found("export-skips", f"{dotted(key_of(node.relation))}.{command.def_.colname}")


def reindex(node: Any, known: Known) -> Iterator[Found]:
    """REINDEX that is not CONCURRENTLY."""
    words = {item.defname for item in node.params or ()}
    relation = node.relation
    if "concurrently" in words:
        return
    if relation and (known.empty(key_of(relation)) or known.empty_index(relation.relname)):
        return
    sort = node.kind.name.removeprefix("REINDEX_OBJECT_")
    name = dotted(key_of(relation)) if relation else node.name or ""
    yield Found("reindex-blocks", name, f"REINDEX {sort} CONCURRENTLY {name};")


def refresh(node: Any, _known: Known) -> Iterator[Found]:
    """REFRESH MATERIALIZED VIEW that is not CONCURRENTLY."""
    if not (node.concurrent or node.skipData):
        name = dotted(key_of(node.relation))
        yield Found("refresh-blocks", name, f"REFRESH MATERIALIZED VIEW CONCURRENTLY {name};")


def owner(node: Any, _known: Known) -> Iterator[Found]:
    """ALTER … OWNER TO somebody else."""
    if node.newowner.rolename != OWNER:
        yield Found("owner-changed", _name_of(node.object))


def table_owner(node: Any, _known: Known) -> Iterator[Found]:
    """ALTER TABLE … OWNER TO somebody else."""
    for command in node.cmds:
        if command.subtype.name == "AT_ChangeOwner" and command.newowner.rolename != OWNER:
            yield Found("owner-changed", dotted(key_of(node.relation)))


def schema_owner(node: Any, _known: Known) -> Iterator[Found]:
    """CREATE SCHEMA … AUTHORIZATION somebody else."""
    if node.authrole is not None and node.authrole.rolename != OWNER:
        yield Found("owner-changed", str(node.schemaname or node.authrole.rolename))


def create_domain(node: Any, _known: Known) -> Iterator[Found]:
    """ALTER DOMAIN … ADD CONSTRAINT that checks every row at once."""
    if node.subtype == "C" and not node.def_.skip_validation:
        name, rule = ".".join(words_of(node.typeName)), node.def_
        label = rule.conname or "a_name"
        paste = (
            f"ALTER DOMAIN {name} ADD CONSTRAINT {label} CHECK ({expression(rule.raw_expr)}) NOT VALID;\n"
            f"-- in the next file:\nALTER DOMAIN {name} VALIDATE CONSTRAINT {label};"
        )
        yield Found("domain-scans", name, paste)
    elif node.subtype == "O":
        yield Found("domain-scans", ".".join(words_of(node.typeName)))
