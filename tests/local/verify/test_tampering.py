"""Every class of damage to a restored copy is caught and named, and no sound copy is."""

import random
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytestmark = pytest.mark.local

DAMAGES = tomllib.loads((Path(__file__).parent / "damages.toml").read_text(encoding="utf-8"))
SEEDS = (1, 2, 3, 4, 5)
# What ./dev test tries of the first seed; ./dev test-all tries everything.
EVERY = 4
CHOSEN = {
    "patient": "(SELECT id FROM haven_health.patients ORDER BY id OFFSET {n} LIMIT 1)",
    "record": "(SELECT id FROM haven_health.health_records ORDER BY id OFFSET {n} LIMIT 1)",
}


def _cases():
    for seed in SEEDS:
        for number, damage in enumerate(DAMAGES["damage"]):
            quick = seed == SEEDS[0] and number % EVERY == 0
            marks = [] if quick else [pytest.mark.slow]
            yield pytest.param(damage, seed, marks=marks, id=f"{damage['name']}, seed {seed}")


@pytest.mark.parametrize(("damage", "seed"), list(_cases()))
def test_damage_is_caught_and_named(ground, taken, copies, damage, seed):
    copy, until = copies()
    number = random.Random(f"{damage['name']} {seed}").randrange(100)  # noqa: S311  # seeded
    chosen = {name: text.format(n=number) for name, text in CHOSEN.items()}
    log = f"audit.access_logs_{datetime.now(UTC):%Y_%m}"
    text = damage["statements"].format(n=number, copy=copy, log=log, **chosen)
    with ground.superuser(copy) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET allow_system_table_mods = on")
        connection.execute(text)
    failures = ground.failures(taken, copy, until)
    assert damage["told"] in failures.get(damage["check"], ""), failures


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_sound_copies_raise_no_alarm(ground, copies, seed):
    """Half of them are of a source that is being written to."""
    writing = seed % 2 == 0
    chance = random.Random(seed)  # noqa: S311  # seeded
    taken = ground.manifest()
    if writing:
        with ground.superuser("haven_health_db") as connection:
            for _ in range(20):
                connection.execute(
                    "UPDATE haven_health.numbered SET t = t || '.' WHERE id = %s",
                    (chance.randrange(1, 500),),
                )
                connection.execute("INSERT INTO haven_health.numbered (t) VALUES ('more')")
    copy, until = copies()
    assert ground.failures(taken, copy, until) == {}
