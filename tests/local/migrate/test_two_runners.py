"""Two runners at random offsets: each file is applied once, whoever comes first."""

from __future__ import annotations

import json
import random
import threading

import pytest

from tests.local.migrate.conftest import Place

pytestmark = [pytest.mark.local, pytest.mark.slow]

TRIALS = 20
LATEST = 2.0
FILES = 6
SLOW = "CREATE TABLE public.t{number} (id bigint PRIMARY KEY);\nSELECT pg_sleep(0.1);\n"


@pytest.mark.parametrize("seed", range(TRIALS))
def test_each_file_is_applied_once(place: Place, seed: int) -> None:
    for number in range(1, FILES + 1):
        place.write(f"{number:02}_table.sql", SLOW.format(number=number))
    runners = [place.spawn("one")]
    # A seeded moment, from before the other has begun until after it has ended.
    threading.Event().wait(random.Random(seed).uniform(0, LATEST))  # noqa: S311  # no secret
    runners.append(place.spawn("two"))
    outcomes = [json.loads(runner.communicate(timeout=60)[0]) for runner in runners]
    applied = [name for kind, names in outcomes if kind == "applied" for name in names]
    assert sorted(applied) == [f"{number:02}_table.sql" for number in range(1, FILES + 1)]
    for kind, text in outcomes:
        assert kind == "applied" or (kind == "Conflict" and ("one" in text or "two" in text))
    assert [row[2] for row in place.ledger()] == ["done"] * FILES
