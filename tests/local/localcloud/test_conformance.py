"""Conformance: the rows of the table that have a check of their own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.localcloud.rows import ROWS
from tests.local.localcloud.table import Check

pytestmark = pytest.mark.local
CHECKS = [(row.id, row.behaviour, row.check) for row in ROWS if not isinstance(row.check, str)]


@pytest.mark.parametrize(("number", "behaviour", "check"), CHECKS, ids=[row[0] for row in CHECKS])
def test_row(
    cloud: Any, primary: Any, name: str, number: str, behaviour: str, check: Check
) -> None:
    assert primary["DBInstanceIdentifier"] == "shared", f"{number}: {behaviour}"
    check(cloud, name)
