"""A stack of its own that is provisioned and migrated once, and a way to look at it later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows import chores
from flows.housekeeping import housekeeping
from flows.housekeeping_models import HousekeepingParameters, HousekeepingReport
from flows.migrate import MigrateParameters, migrate
from tests.local.provision.conftest import Place, place

__all__ = ["place"]

RULES = """
[housekeeping]
deletions_per_run = 2

[housekeeping.snapshots]
minimum_age_days = 1
newest = 1
daily = 1
weekly = 1
monthly = 1
yearly = 1
"""


@pytest.fixture(scope="package")
def kept(place: Callable[..., Place]) -> Iterator[Place]:
    """A stack with the schema in it."""
    made = place("housekept", zones="[]", sections=RULES)
    made.provision()
    migrate(made.run(), MigrateParameters())
    yield made
    made.remove_instances()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge as if 40 days had passed: what was made just now is older than the backup window."""

    def moment() -> datetime:
        return datetime.now(UTC) + timedelta(days=40)

    monkeypatch.setattr(chores, "now", moment)


def keep_house(place: Place, **parameters: Any) -> HousekeepingReport:
    """Keep house once, deletions confirmed."""
    given = {"confirm": place.stack.prefix, **parameters}
    return housekeeping(place.run(), HousekeepingParameters(**given))


def subjects(report: HousekeepingReport) -> list[str]:
    """Return what was done, without regions."""
    return [f"{one.verb} {one.subject}" for one in report.steps]
