"""Rows of a table, and keys and times drawn from a seeded generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

Row = Mapping[str, Any]
DAY = 86400


@dataclass(slots=True)
class Table:
    """Rows for one table, all with the same columns."""

    schema: str
    name: str
    rows: list[Row] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rows of this table have."""
        return tuple(self.rows[0]) if self.rows else ()


def key(random: Random) -> UUID:
    """Draw a key."""
    return UUID(int=random.getrandbits(128), version=4)


def before(random: Random, until: datetime, days: float) -> datetime:
    """Draw a time within the days before ``until``, recent times more often."""
    share = random.random() ** 2
    return until - timedelta(seconds=int(share * days * DAY))


def skewed(random: Random, typical: float, most: int) -> int:
    """Draw a count: mostly about ``typical``, now and then very many."""
    return min(int(random.paretovariate(1.1) * typical), most)
