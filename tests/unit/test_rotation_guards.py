"""Which servers a rotation goes without."""

from dataclasses import replace

import pytest

from flows.rotation_guards import without_absent
from haven.stack.instance import Instance
from haven.stack.model import Stack
from haven.stack.resource import Found
from haven.stack.topology import topology

STACK = Stack(environment="prod", account="123456789012")
INSTANCES = [item for item in topology(STACK) if isinstance(item, Instance)]


@pytest.mark.parametrize("status", ["available", "backing-up", "rebooting", "storage-full"])
@pytest.mark.parametrize("away", INSTANCES, ids=lambda item: item.name)
def test_an_emergency_goes_without_replicas_that_are_away_but_never_without_the_writer(
    away, status
):
    observed = {
        item.address: Found(replace(item, status=status if item == away else "available"), "arn")
        for item in INSTANCES
    }
    kept, said = without_absent(observed)
    dropped = away.is_replica and status in {"rebooting", "storage-full"}
    assert set(observed) - set(kept) == ({away.address} if dropped else set())
    assert [text.split(":")[0] for text in said] == [f"{away.name} is {status}"] * dropped
