"""The stack's lock: an emergency takes it, and whoever held it stops."""

import pytest

from haven.errors import Unavailable
from haven.lease import Holder, held_lease
from haven.stack import names
from haven.waiting import Wait, wait_for

pytestmark = pytest.mark.local


def test_a_lock_that_is_taken_by_force_stops_its_holder(provisioned):
    s3, bucket = provisioned.client("s3"), names.bucket(provisioned.stack, "state")
    first, second = Holder("one", "migrate", "today", 0.3, 0), Holder("two", "promote", "now", 9, 0)
    with (
        held_lease(s3, bucket, first) as loser,
        held_lease(s3, bucket, second, by_force=lambda: None) as winner,
    ):
        wait_for(Wait("the loss", lambda: lost(loser), bool, lambda _: None, 0.05, 10))
        winner.check()
        assert winner.epoch == loser.epoch + 1


def lost(lease):
    try:
        lease.check()
    except Unavailable:
        return True
    return False
