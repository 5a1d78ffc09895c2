"""Reading PostgreSQL's parse trees: names, types, and statements written back as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast.ast import Node, RangeVar
from pglast.stream import IndentedStream, RawStream

Key = tuple[str, str]
# Statements that hold others, which they run: in WITH, or to be shown or run later.
HOLDERS = frozenset(
    {
        "SelectStmt",
        "InsertStmt",
        "UpdateStmt",
        "DeleteStmt",
        "MergeStmt",
        "CreateTableAsStmt",
        "PrepareStmt",
        "ExplainStmt",
    }
)
HELD = frozenset({"UpdateStmt", "DeleteStmt", "MergeStmt"})


def key_of(relation: Any) -> Key:
    """Return schema and name of a relation; the schema is empty when it is not written."""
    return (relation.schemaname or "", relation.relname)


def key_of_path(path: Any) -> Key:
    """Return schema and name of a dotted name."""
    words = words_of(path)
    return (words[-2] if len(words) > 1 else "", words[-1])


def words_of(path: Any) -> list[str]:
    """Return the words of a dotted name."""
    return [item.sval for item in path or ()]


def dotted(key: Key) -> str:
    """Return a key as it would be written, without quotes."""
    return ".".join(part for part in key if part)


def quoted(key: Key) -> str:
    """Return a key as SQL, with the quotes that it needs."""
    return expression(RangeVar(schemaname=key[0] or None, relname=key[1], inh=True))


def type_of(type_name: Any) -> str:
    """Return a type as PostgreSQL writes it, such as ``varchar(20)``; empty for none."""
    if type_name is None:
        return ""
    words = [word for word in words_of(type_name.names) if word != "pg_catalog"]
    sizes = [str(item.val.ival) for item in type_name.typmods or () if hasattr(item.val, "ival")]
    array = "[]" * len(type_name.arrayBounds or ())
    return ".".join(words) + (f"({','.join(sizes)})" if sizes else "") + array


def kind(node: Any) -> str:
    """Return the name of a node's kind."""
    return type(node).__name__


def walk(node: Any) -> Iterator[Any]:
    """Yield a node and every node below it, those that are written first before the others."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            stack.extend(reversed(item))
        elif isinstance(item, Node):
            yield item
            below = [getattr(item, name) for name in reversed(item.__slots__)]
            stack += [value for value in below if isinstance(value, Node | tuple)]


def run_by(tree: Any) -> Iterator[Any]:
    """Yield a statement, and those within it that change rows."""
    yield tree
    if kind(tree) in HOLDERS:
        yield from (node for node in walk(tree) if node is not tree and kind(node) in HELD)


def calls(node: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield each function that is called within a node, with those arguments that are texts."""
    for item in walk(node):
        if kind(item) == "FuncCall":
            given = [getattr(argument, "val", None) for argument in item.args or ()]
            texts = [getattr(value, "sval", None) for value in given]
            yield words_of(item.funcname)[-1], [text.lower() for text in texts if text]


def written(node: Any) -> str:
    """Write a statement back as SQL, with its semicolon."""
    return str(IndentedStream(comma_at_eoln=True)(node)) + ";"


def expression(node: Any) -> str:
    """Write an expression back as SQL on one line."""
    return str(RawStream()(node))
