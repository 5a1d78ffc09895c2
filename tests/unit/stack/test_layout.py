"""Where a stack stands: told from tags, and what its names and sides are then."""

from dataclasses import replace

import pytest

from haven.errors import Conflict
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.layout import Layout, Member, layout_behind, layout_of, zones_beside
from haven.stack.model import Stack
from haven.stack.proxy import ProxyTarget
from haven.stack.retired import has_led
from haven.stack.secret import Secret
from haven.stack.topology import topology

STACK = Stack(environment="production", account="123456789012")
HOME, AWAY = "us-east-1", "us-west-2"
FIRST = Member("p", HOME, "primary", 1, "", "db-1", "available")
READER = Member("r", HOME, "replica", 1, "p", "db-2", "available")
SECOND = Member("r", HOME, "primary", 2, "", "db-2", "available", zone="us-east-1b")
REMOTE = Member("d", AWAY, "primary", 3, "", "db-3", "available", zone="us-west-2a")


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ((), None),
        ((READER,), None),
        ((FIRST, READER), Layout()),
        ((FIRST, SECOND), Layout(2, "r", swapped=False, zone="us-east-1b")),
        ((FIRST, SECOND, REMOTE), Layout(3, "d", swapped=True, zone="us-west-2a")),
        ((REMOTE,), Layout(3, "d", swapped=True, zone="us-west-2a")),
        ((replace(FIRST, role="retired"), READER), None),
        # Tagged as a primary, and still a replica: its promotion is at work.
        ((FIRST, replace(SECOND, source="p")), Layout()),
    ],
)
def test_the_newest_primary_is_the_primary(
    members: tuple[Member, ...], wanted: Layout | None
) -> None:
    assert layout_of(members, recovery_region=AWAY) == wanted


SOURCE = f"arn:aws:rds:{HOME}:123456789012:db:p2"
FAR = Member("d2", AWAY, "dr-replica", 2, SOURCE, "db-4", "available")


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ((), None),
        ((replace(FAR, epoch=1),), None),
        ((FAR, replace(FAR, name="d", epoch=1)), Layout(2, "p2")),
        ((replace(FAR, source=SOURCE.replace(HOME, AWAY)),), Layout(2, "p2", swapped=True)),
        ((replace(FAR, source="p2"),), None),
    ],
)
def test_replicas_tell_of_a_primary_that_nobody_sees(
    members: tuple[Member, ...], wanted: Layout | None
) -> None:
    assert layout_behind(members, recovery_region=AWAY) == wanted


def test_two_primaries_of_one_epoch_are_a_conflict_that_names_both() -> None:
    with pytest.raises(Conflict, match="p in us-east-1, q in us-west-2"):
        layout_of((FIRST, replace(FIRST, name="q", region=AWAY)), recovery_region=AWAY)


@pytest.mark.parametrize(
    ("zones", "taken", "wanted"),
    [
        (("xb", "xc"), "", ("xb", "xc")),
        (("xb", "xc"), "xd", ("xb", "xc")),
        (("xb", "xc"), "xb", ("xa", "xc")),
        (("xa", "xb"), "xa", ("xc", "xb")),
        ((), "xa", ()),
    ],
)
def test_no_replica_is_in_the_zone_of_the_primary(
    zones: tuple[str, ...], taken: str, wanted: tuple[str, ...]
) -> None:
    assert zones_beside(zones, "x", taken) == wanted


def test_a_promotion_at_home_changes_who_is_who_and_no_side() -> None:
    stack = STACK.standing(Layout(2, "the-new-one", zone="us-east-1b"))
    by_role = _instances(stack)
    assert by_role["primary"].name == "the-new-one"
    assert by_role["primary"].marks == (("haven:epoch", "2"),)
    assert names.replica(stack, 1) == f"{STACK.prefix}-replica-1-e2"
    assert by_role["dr-replica"].name == f"{STACK.prefix}-dr-e2"
    assert by_role["dr-replica"].region == AWAY
    assert stack.replica_zones == ("us-east-1a", "us-east-1c")
    assert names.bucket(stack, "state") == names.bucket(STACK, "state")


def test_a_promotion_across_regions_swaps_the_sides_and_nothing_that_exists() -> None:
    stack = STACK.standing(Layout(3, "the-other", swapped=True))
    by_role = _instances(stack)
    assert by_role["primary"].region == AWAY
    assert by_role["dr-replica"].region == HOME
    assert names.bucket(stack, "state") == names.bucket(STACK, "state", recovery=True)
    buckets = {item.name for item in topology(STACK) if item.kind == "bucket"}
    assert {item.name for item in topology(stack) if item.kind == "bucket"} == buckets
    keys = {item.address for item in topology(STACK) if item.kind == "key"}
    assert {item.address for item in topology(stack) if item.kind == "key"} == keys
    (target,) = [item for item in topology(stack) if isinstance(item, ProxyTarget)]
    assert target.region == AWAY
    secrets = [item for item in topology(stack) if isinstance(item, Secret)]
    assert {(item.region, item.replica_region) for item in secrets} == {(AWAY, HOME)}


def test_there_and_back_again_is_where_it_was_but_for_the_epoch() -> None:
    there = STACK.standing(Layout(2, "d", swapped=True))
    back = there.standing(Layout(3, "p"))
    assert (back.region, back.recovery_region) == (HOME, AWAY)
    assert back.replica_zones == STACK.replica_zones


def _instances(stack: Stack) -> dict[str, Instance]:
    return {item.role: item for item in topology(stack) if isinstance(item, Instance)}


@pytest.mark.parametrize(
    ("name", "epoch", "led"),
    [("primary", 1, True), ("primary-e2", 2, True), ("primary-e2", 1, False)],
    ids=["the first", "one that was promoted", "an earlier moment that was not wanted"],
)
def test_only_what_was_a_primary_is_held_against_the_next_one(
    name: str, epoch: int, led: bool
) -> None:
    member = replace(FIRST, name=f"{STACK.prefix}-{name}", epoch=epoch)
    assert has_led(STACK, member) is led
