"""Rules on indexes, new tables, and what is renamed, dropped or handed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pglast.ast import RangeVar

from haven.migrations.lint.findings import Found
from haven.migrations.lint.known import Known
from haven.migrations.lint.trees import (
    Key,
    dotted,
    expression,
    key_of,
    key_of_path,
    kind,
    quoted,
    type_of,
    words_of,
    written,
)

OWNER = "haven_owner"
SMALL = frozenset({"int4", "int2", "serial", "smallserial", "serial4", "serial2"})
COUNTING = frozenset({"CONSTR_PRIMARY", "CONSTR_IDENTITY"})
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
    key = key_of(node.relation)
    if node.concurrent or known.empty(key) or known.rowless(node.relation):
        return
    paste = _by_partition(node) if known.partitioned(key) else _concurrently(node)
    yield Found("index-blocks-writes", dotted(key), paste)


def _concurrently(node: Any) -> str:
    node.concurrent = True
    text = written(node)
    node.concurrent = False
    return text


def _by_partition(node: Any) -> str:
    """PostgreSQL builds none CONCURRENTLY on a parent: on its partitions, and attached to it."""
    part, relation, name = RangeVar(relname="a_partition", inh=True), node.relation, node.idxname
    node.idxname = name = name or "a_name"
    relation.inh = False
    parent = written(node)
    relation.inh, node.relation, node.idxname = True, part, f"{name}_of_a_partition"
    of_part = _concurrently(node)
    node.relation, node.idxname = relation, name
    index = quoted((relation.schemaname or "", name))
    return (
        f"{parent}\n-- for each partition, in a file that begins with '-- haven: non-transactional':\n"
        f"{of_part}\n-- in the file after that, for each partition:\n"
        f"ALTER INDEX {index} ATTACH PARTITION {quoted(('', f'{name}_of_a_partition'))};"
    )


def drop(node: Any, known: Known) -> Iterator[Found]:
    """DROP of whatever it is."""
    sort = node.removeType.name
    for path in node.objects:
        if sort == "OBJECT_INDEX":
            yield from _drop_index(node, key_of_path(path), known)
        elif sort in ("OBJECT_TABLE", "OBJECT_MATVIEW") and known.empty(key_of_path(path)):
            continue
        elif sort in WITH_ROWS:
            yield Found("drop-loses-data", _name_of(path))
        elif sort in USED:
            yield Found("drop-breaks", _name_of(path))
        elif sort in GUARDS and not known.empty(key_of_path(path[:-1])):
            hazard = "row-security-removed" if sort == "OBJECT_POLICY" else "triggers-off"
            yield Found(hazard, dotted(key_of_path(path[:-1])))


def _drop_index(node: Any, key: Key, known: Known) -> Iterator[Found]:
    if not node.concurrent and not known.empty_index(key[1]):
        yield Found("drop-index-blocks", dotted(key), f"DROP INDEX CONCURRENTLY {quoted(key)};")


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
    yield from _unexported_name(sort, node.newname)
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


def _unexported_name(sort: str, name: str) -> Iterator[Found]:
    pattern = {"OBJECT_TABLE": UNEXPORTED_TABLE, "OBJECT_COLUMN": UNEXPORTED_COLUMN}.get(sort)
    if pattern is not None and pattern.search(name):
        yield Found("export-skips", name)


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
    """CREATE TABLE AS: whether the new table is logged and exported."""
    yield from _into(node.into, node.query)


def select_into(node: Any, _known: Known) -> Iterator[Found]:
    """SELECT … INTO, which is the same."""
    if node.intoClause is not None:
        yield from _into(node.intoClause, node)


def _into(into: Any, query: Any) -> Iterator[Found]:
    table = dotted(key_of(into.rel))
    yield from _persistence(into.rel)
    if UNEXPORTED_TABLE.search(into.rel.relname):
        yield Found("export-skips", table)
    given = [item.name for item in getattr(query, "targetList", None) or () if item.name]
    for column in words_of(into.colNames) or given:
        if UNEXPORTED_COLUMN.search(column):
            yield Found("export-skips", f"{table}.{column}")


def _persistence(relation: Any) -> Iterator[Found]:
    if relation.relpersistence == "u":
        yield Found("not-logged", dotted(key_of(relation)))
    elif relation.relpersistence == "t" or relation.schemaname == "pg_temp":
        yield Found("temporary-table", dotted(key_of(relation)))


def add_key(node: Any, known: Known) -> Iterator[Found]:
    """ALTER TABLE that adds a key, or a column that counts, of a small type."""
    key = key_of(node.relation)
    table = known.table(key)
    columns = table.columns if table else {}
    for command in node.cmds:
        sort, added = command.subtype.name, command.def_
        if sort == "AT_AddColumn":
            if _counts(added) and type_of(added.typeName) in SMALL:
                yield Found("key-too-small", f"{dotted(key)}.{added.colname}")
        elif sort == "AT_AddConstraint" and added.contype.name == "CONSTR_PRIMARY":
            for column in words_of(added.keys):
                if columns.get(column) in SMALL:
                    yield Found("key-too-small", f"{dotted(key)}.{column}")


def _counts(column: Any) -> bool:
    """Tell whether a column is a key by its own definition, or counts up."""
    sorts = {item.contype.name for item in column.constraints or ()}
    return bool(sorts & COUNTING) or "serial" in type_of(column.typeName)


def _key_columns(node: Any) -> set[str]:
    keys = {
        column.colname
        for column in node.tableElts or ()
        if kind(column) == "ColumnDef" and _counts(column)
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
    """REINDEX that is not CONCURRENTLY, or of a parent of partitions, which locks each of them."""
    words = {item.defname for item in node.params or ()}
    relation = node.relation
    if "concurrently" in words:
        if relation and known.partitioned(_table_of(relation, known)):
            paste = (
                f"-- for each partition:\nREINDEX TABLE CONCURRENTLY {quoted(('', 'a_partition'))};"
            )
            yield Found("reindex-blocks", dotted(key_of(relation)), paste)
        return
    if relation and (known.empty(key_of(relation)) or known.empty_index(relation.relname)):
        return
    sort = node.kind.name.removeprefix("REINDEX_OBJECT_")
    key = key_of(relation) if relation else ("", node.name or "")
    yield Found("reindex-blocks", dotted(key), f"REINDEX {sort} CONCURRENTLY {quoted(key)};")


def _table_of(relation: Any, known: Known) -> Key:
    return known.indexes.get(relation.relname, key_of(relation))


def refresh(node: Any, _known: Known) -> Iterator[Found]:
    """REFRESH MATERIALIZED VIEW that is not CONCURRENTLY."""
    if not (node.concurrent or node.skipData):
        key = key_of(node.relation)
        paste = f"REFRESH MATERIALIZED VIEW CONCURRENTLY {quoted(key)};"
        yield Found("refresh-blocks", dotted(key), paste)


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
        key, rule = key_of_path(node.typeName), node.def_
        name, label = quoted(key), quoted(("", rule.conname or "a_name"))
        paste = (
            f"ALTER DOMAIN {name} ADD CONSTRAINT {label} CHECK ({expression(rule.raw_expr)}) NOT VALID;\n"
            f"-- in the next file:\nALTER DOMAIN {name} VALIDATE CONSTRAINT {label};"
        )
        yield Found("domain-scans", dotted(key), paste)
    elif node.subtype == "O":
        yield Found("domain-scans", ".".join(words_of(node.typeName)))
