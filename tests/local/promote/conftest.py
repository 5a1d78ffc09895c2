"""A stack that is promoted back and forth, and writers who count what was acknowledged."""

from collections.abc import Callable
from typing import Any

import pytest

from flows.heartbeat import beat_once
from flows.migrate import MigrateParameters, migrate
from flows.promote_replica import promote_replica
from flows.promotion_models import PromoteParameters, PromoteReport
from tests.local.provision.conftest import Place, place

__all__ = ["place"]


def promote(stack: Place, **parameters: Any) -> PromoteReport:
    """Run a promotion once."""
    return promote_replica(stack.run(), PromoteParameters.model_validate(parameters))


@pytest.fixture(scope="module")
def stack(place: Callable[..., Place], request: pytest.FixtureRequest) -> Place:
    """A stack of a module's own, migrated and beating."""
    made = place(request.module.ENVIRONMENT)
    made.provision()
    migrate(made.run(), MigrateParameters())
    beat_once(made.settings)
    return made
