"""The catalogue of a database as rows: its digest, and what changed between two of them.

Columns are told by name, not by place: a place cannot be given back by any later statement, and
neither clients that name columns nor the files here depend on it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Another form of the rows makes another digest of the same database: raise it with the query.
FORM = "2"
MARK = 12
SHOWN = 60
LISTED = 20
RELATIONS = frozenset({"table", "view", "materialized view", "foreign table"})
# The range partitions of a table, told together; the query writes it so.
PARTITIONS = "each partition of "
# The last part of a name, which is quoted where it holds more than letters, digits and underscores.
_COLUMN = re.compile(r'\.(?:[a-z0-9_$]+|"(?:[^"]|"")+")$')

Catalogue = Mapping[tuple[str, str], str]  # by kind and name: the definition as JSON


@dataclass(frozen=True, slots=True)
class Change:
    """An object that differs between two catalogues; ``details`` says in what."""

    verb: str
    kind: str
    identity: str
    details: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Say it on one line."""
        details = f": {'; '.join(self.details)}" if self.details else ""
        return f"{self.kind} {self.identity} was {self.verb}{details}"


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed outside migrations since a run wrote the catalogue down.

    ``known`` is false when no run did, or the last one was cut off before it could.
    """

    known: bool = False
    changes: tuple[Change, ...] = ()
    digest: str = ""

    @property
    def mark(self) -> str:
        """What names exactly this drift, for accepting it."""
        return f"drift-{self.digest.partition(':')[2][:MARK]}" if self.changes else ""


def digest_of(catalogue: Catalogue) -> str:
    """Return the form of the rows, and the SHA-256 over all of them, sorted."""
    whole = hashlib.sha256()
    for (kind, identity), definition in sorted(catalogue.items()):
        row = json.dumps([kind, identity, definition], ensure_ascii=False)
        whole.update(f"{row}\n".encode())
    return f"{FORM}:{whole.hexdigest()}"


def compare(before: Catalogue, after: Catalogue) -> tuple[Change, ...]:
    """Return what was added, removed or changed, sorted by kind and name.

    What came or went with its table is told by the table alone; the first partition of a range that
    comes, and the last one that goes, are no change, as those between are none.
    """
    found = tuple(_compared(before, after))
    whole = {(item.verb, item.identity) for item in found if item.kind in RELATIONS}
    told = (item for item in found if (item.verb, _place(item)) not in whole)
    return tuple(item for item in told if not _of_a_range(item))


def counted(changes: Sequence[Change]) -> str:
    """Say how many objects were changed."""
    count = len(changes)
    return "1 object was changed" if count == 1 else f"{count} objects were changed"


def listed(changes: Sequence[Change], *, limit: int | None = LISTED) -> str:
    """Say changes one a line; of many the first only, unless there is no limit."""
    lines = [f"  {change.text}" for change in changes[:limit]]
    if len(lines) < len(changes):
        lines.append(f"  and {len(changes) - len(lines)} more")
    return "\n".join(lines)


def _compared(before: Catalogue, after: Catalogue) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None:
            yield Change("added", *key)
        elif new is None:
            yield Change("removed", *key)
        elif old != new:
            yield Change("changed", *key, tuple(_details(json.loads(old), json.loads(new))))


def _of_a_range(change: Change) -> bool:
    """Tell whether partitions of a range came where there were none, or all went."""
    came_or_went = change.verb != "changed" and change.kind == "table"
    return came_or_went and change.identity.startswith(PARTITIONS)


def _place(change: Change) -> str:
    """Return the relation that an object belongs to; nothing for what stands for itself."""
    if change.kind == "column":
        return _COLUMN.sub("", change.identity)
    return change.identity.partition(" on ")[2]


def _details(old: Mapping[str, Any], new: Mapping[str, Any], under: str = "") -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _details(one, other, f"{under}{name} ")
        elif one != other:
            yield f"{under}{name} {_shown(one)} -> {_shown(other)}"


def _shown(value: Any) -> str:
    """Write a value, the first words of a long one only."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    words = " ".join(text.split())
    return words if len(words) <= SHOWN else f"{words[:SHOWN].rstrip()} …"
