"""The queries by which a file proves what it did: one plain SELECT each, which changes nothing."""

from __future__ import annotations

from typing import Any

from haven.migrations.files import wrong
from haven.migrations.headers import Headers

_WRITES = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_CURE = "Write one SELECT that returns true, without INTO, FOR UPDATE, or writing in WITH."


def check_verifications(name: str, headers: Headers) -> None:
    """Raise ``InvalidRequest`` for a query that is none, is several, or would write."""
    if not headers.verifies:
        return
    from pglast import parser  # noqa: PLC0415  # a native library, see haven.migrations.script

    for query in headers.verifies:
        try:
            nodes: Any = parser.parse_sql(query)
        except parser.ParseError:
            raise wrong(
                name, f"PostgreSQL cannot read the query to verify: {query}", _CURE
            ) from None
        if len(nodes) != 1 or not _only_reads(nodes[0].stmt):
            raise wrong(name, f"the query to verify is more than a SELECT: {query}", _CURE)


def _only_reads(node: Any) -> bool:
    from pglast.visitors import Visitor  # noqa: PLC0415  # likewise

    class Writes(Visitor):  # type: ignore[misc]  # pglast has no types
        """Notes whatever would write or lock."""

        found = False

        def visit(self, _ancestors: Any, inner: Any) -> None:
            sort = type(inner).__name__
            self.found |= sort in _WRITES or sort in ("IntoClause", "LockingClause")

    seen = Writes()
    seen(node)
    return type(node).__name__ == "SelectStmt" and not seen.found
