"""Whatever happened and whatever the rules are, what must stay stays."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from haven.retention.snapshots import Fate, Judged, Rules, Snapshot, Window, judge
from haven.stack.housekeeping import SnapshotRules

HISTORIES = 5_000
START = datetime(2019, 1, 1, tzinfo=UTC)
SOURCES = ("db-A", "db-B")
REGIONS = ("home", "away")
STATUS = ("available",) * 9 + ("creating", "failed")


@dataclass
class World:
    """What exists, by which rules it is judged, and when."""

    chance: random.Random
    rules: Rules
    now: datetime
    snapshots: list[Snapshot]


def world(seed):
    """Make up a policy, years of snapshots, and what became of each."""
    chance = random.Random(seed)  # noqa: S311  # a seeded choice, not a secret
    lowest = chance.choice((1, 3, 7, 30))
    highest = lowest + chance.choice((1, 40, 400, 2600))
    after = chance.choice((0, 0, lowest, highest - 1))
    numbers = SnapshotRules(
        minimum_age_days=lowest,
        maximum_age_days=highest,
        archive_after_days=after,
        **{
            name: chance.randint(1, 6)
            for name in ("newest", "daily", "weekly", "monthly", "yearly")
        },
    )
    now = START + timedelta(days=chance.randint(1, 3000), hours=chance.randint(0, 23))
    span = chance.choice((40, 400, 3000))
    found = [snapshot(chance, number, now, span) for number in range(chance.randint(0, 16))]
    rules = Rules(numbers, chance.choice((1, 7, 35)), {}, chance.randint(1, 8))
    made = World(chance, rules, now, found)
    made.rules = replace(rules, windows=windows(made))
    return made


def snapshot(chance, number, now, span):
    return Snapshot(
        f"s{number}",
        f"arn:s{number}",
        chance.choice(REGIONS),
        chance.choice(SOURCES),
        now - timedelta(hours=chance.randint(0, span * 24)),
        manual=chance.random() < 0.9,
        ours=chance.random() < 0.9,
        status=chance.choice(STATUS),
        hold="a person" if chance.random() < 0.1 else "",
        use="a copy" if chance.random() < 0.1 else "",
        good=chance.choice((None, None, True, False)),
        archived=chance.random() < 0.2,
    )


def windows(made):
    return {
        (region, source): Window(
            made.now - timedelta(days=made.chance.randint(0, 40)), made.now - timedelta(minutes=5)
        )
        for region in REGIONS
        for source in SOURCES
        if made.chance.random() < 0.8
    }


def applied(made, judged):
    gone = {one.snapshot.arn for one in judged if one.fate is Fate.DELETE}
    return [one for one in made.snapshots if one.arn not in gone]


def usable(found):
    return [one for one in found if one.manual and one.ours and one.status == "available"]


def newest(found):
    best: dict[tuple[str, str], Snapshot] = {}
    for one in found:
        key = (one.region, one.source)
        if key not in best or one.taken > best[key].taken:
            best[key] = one
    return {key: one.taken for key, one in best.items()}


def check(made: World, judged: list[Judged]) -> None:
    gone = [one.snapshot for one in judged if one.fate is Fate.DELETE]
    left = applied(made, judged)
    assert len(judged) == len(made.snapshots)
    assert all(one.because for one in judged)
    assert len(gone) <= made.rules.limit
    assert all(one.manual and one.ours and one.status == "available" for one in gone)
    assert not [one for one in gone if one.hold or one.use]
    youngest = timedelta(days=made.rules.snapshots.minimum_age_days)
    assert all(made.now - one.taken >= youngest for one in gone)
    verified = [one for one in usable(made.snapshots) if one.good]
    assert newest(verified) == newest([one for one in usable(left) if one.good])
    fit = [one for one in usable(made.snapshots) if one.good is not False]
    assert newest(fit) == newest([one for one in usable(left) if one.good is not False])
    assert {(one.region, one.source) for one in usable(made.snapshots)} == {
        (one.region, one.source) for one in usable(left)
    }
    for one in gone:
        if made.now - one.taken <= timedelta(days=made.rules.window_days):
            window = made.rules.windows[one.region, one.source]
            assert window.earliest <= one.taken <= window.latest


def run_until_nothing_is_planned(made):
    """Run housekeeping again and again at the same moment; return how often it deleted."""
    runs = 0
    while True:
        judged = judge(made.snapshots, made.rules, made.now)
        check(made, judged)
        left = applied(made, judged)
        if len(left) == len(made.snapshots):
            return runs
        deleted = len(made.snapshots) - len(left)
        made.snapshots, runs = left, runs + 1
        if deleted < made.rules.limit:
            again = judge(made.snapshots, made.rules, made.now)
            assert not [one for one in again if one.fate is Fate.DELETE]
            return runs


def test_no_rules_take_what_must_stay_and_a_second_run_plans_nothing():
    runs = 0
    for seed in range(HISTORIES):
        made = world(seed)
        runs += run_until_nothing_is_planned(made)
        made.now += timedelta(days=made.chance.choice((1, 8, 40)))
        made.snapshots.append(snapshot(made.chance, 99, made.now, 1))
        made.rules = replace(made.rules, windows=windows(made))
        run_until_nothing_is_planned(made)
    assert runs > HISTORIES / 4


def test_the_order_in_which_things_are_found_decides_nothing():
    for seed in range(300):
        made = world(seed)
        mixed = made.chance.sample(made.snapshots, len(made.snapshots))
        assert judge(mixed, made.rules, made.now) == judge(made.snapshots, made.rules, made.now)
