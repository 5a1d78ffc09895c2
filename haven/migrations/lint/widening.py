"""Which changes of a column's type keep every row as it is (PostgreSQL, ALTER TABLE, Notes)."""

from __future__ import annotations

import re

_SIZED = re.compile(r"(?P<name>[a-z_. ]+)(?:\((?P<sizes>[0-9,]+)\))?")
_TEXTS = frozenset({"varchar", "text"})
_GROWING = frozenset({"varchar", "varbit", "numeric"})


def keeps_rows(before: str, after: str) -> bool:
    """Tell whether no row has to be written or checked anew; an unknown type before is a no."""
    old, new = _SIZED.fullmatch(before), _SIZED.fullmatch(after)
    if not old or not new:
        return False
    if before == after or (before, after) == ("cidr", "inet"):
        return True
    old_sizes, new_sizes = _sizes(old), _sizes(new)
    if {old["name"], new["name"]} <= _TEXTS:
        return not new_sizes or (bool(old_sizes) and new_sizes >= old_sizes)
    if old["name"] == new["name"] and old["name"] in _GROWING:
        return _grows(old_sizes, new_sizes)
    return False


def _grows(old: list[int], new: list[int]) -> bool:
    """More digits, and the same number of them behind the point."""
    if not new:
        return True
    return bool(old) and new[0] >= old[0] and (new[1:] or [0]) == (old[1:] or [0])


def _sizes(match: re.Match[str]) -> list[int]:
    return [int(size) for size in (match["sizes"] or "").split(",") if size]
