"""Fingerprints of tables: counts and order-free sums of row hashes, by bucket where need be.

A row's hash is PostgreSQL's own over its typed values, hashed once more. The second hash matters:
the first is linear in the hashes of the values, so that a plain sum of it would not change when two
rows swap a value. A sum notices a row that is there twice, which an exclusive or would not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

BUCKETS = 1024
# Another way to hash makes other fingerprints of the same rows: raise it with the queries.
FORM = 1
# SHA-256 over the text of every value: slower, and what PostgreSQL takes for equal is told apart.
STRONG_FORM = 2
FORMS = frozenset({FORM, STRONG_FORM})


_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def _quoted(name: str) -> str:
    """Write a name as SQL would, with quotes where it is no plain one."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def identity_of(schema: str, name: str) -> str:
    """Return a schema and a name as messages and manifests have them."""
    return f"{_quoted(schema)}.{_quoted(name)}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; one whose type PostgreSQL cannot hash is hashed as text."""

    name: str
    hashable: bool = True


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or partition with rows of its own. Without a primary key the whole row is the key.

    ``size`` is its bytes with TOAST; ``estimate`` the rows by its statistics, -1 if there are none;
    ``readable`` whether the session may select from it; ``logged`` whether its rows survive a
    restore; ``root`` is the partitioned table that it is a part of; ``form``, how its rows are hashed.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    size: int = 0
    estimate: int = -1
    readable: bool = True
    logged: bool = True
    root: str = ""
    form: int = FORM

    @property
    def identity(self) -> str:
        """Its schema and name, as messages and manifests have it; no two relations share one."""
        return identity_of(self.schema, self.name)

    @property
    def family(self) -> str:
        """The partitioned table that it is a part of, else the table itself."""
        return self.root or self.identity

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the primary key, else all."""
        return tuple(item for item in self.columns if item.name in self.key) or self.columns


@dataclass(frozen=True, slots=True)
class Span:
    """Buckets from ``first`` to ``last``, both of them included."""

    first: int = 0
    last: int = BUCKETS - 1

    @property
    def whole(self) -> bool:
        """Tell whether these are all buckets there are."""
        return (self.first, self.last) == (0, BUCKETS - 1)

    @property
    def share(self) -> float:
        """Which part of all buckets it is, from 0 to 1."""
        return (self.last - self.first + 1) / BUCKETS


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows there are, and the sum of their hashes."""

    count: int
    total: int

    def __add__(self, other: Sum) -> Sum:
        """Return the sum of two sets of rows."""
        return Sum(self.count + other.count, self.total + other.total)


NOTHING = Sum(0, 0)


def added(sums: Iterable[Sum]) -> Sum:
    """Return the sum over several sets of rows."""
    total = NOTHING
    for one in sums:
        total += one
    return total


@dataclass(frozen=True, slots=True)
class Standing:
    """Rows of a restored copy, by when they were written.

    Before the snapshot of a manifest, by a transaction that was at work just then, after it, or
    later than the moment that was restored to.
    """

    before: Sum = NOTHING
    during: Sum = NOTHING
    after: Sum = NOTHING
    later: Sum = NOTHING

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return added((self.before, self.during, self.after, self.later)).count


def is_proven(wanted: Sum, found: Standing) -> bool:
    """Tell whether all rows that there were are there as they were; others are newer.

    Transactions at work during the snapshot may have written rows into it or not, all or none of
    them mostly; where neither holds, the rows have to be looked at one by one.
    """
    return not found.later.count and wanted in (found.before, found.before + found.during)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one relation held, of some of its buckets."""

    relation: str
    family: str
    span: Span
    total: Sum
