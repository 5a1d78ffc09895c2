"""SQL lives in SQL files: named queries, each with a line that says what it is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def parse_queries(text: str) -> dict[str, LiteralString]:
    """Split a file at its ``-- name:`` lines.

    The cast is safe: the text comes from files of this package, never from input.
    """
    parts = _NAME.split(text)
    return {
        name: cast("LiteralString", body.strip())
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def _load() -> Mapping[str, LiteralString]:
    queries: dict[str, LiteralString] = {}
    for path in sorted(Path(__file__).parent.glob("*.sql")):
        found = parse_queries(path.read_text(encoding="utf-8"))
        twice = queries.keys() & found.keys()
        if twice:
            raise ValueError(f"{path.name} names queries again: {', '.join(sorted(twice))}")
        queries |= found
    return queries


QUERIES = _load()
