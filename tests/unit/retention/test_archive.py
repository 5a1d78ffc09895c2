"""What the header of a restore says, and which moves cost more than they save."""

from datetime import UTC, datetime

import pytest

from haven.retention.archive import HOURS, State, Tier, early_moves, read_state

READY = 'ongoing-request="false", expiry-date="Fri, 21 Dec 2026 00:00:00 GMT"'


@pytest.mark.parametrize(
    ("storage_class", "header", "state", "until"),
    [
        ("STANDARD", "", State.WARM, None),
        ("STANDARD_IA", "", State.WARM, None),
        ("GLACIER", "", State.FROZEN, None),
        ("DEEP_ARCHIVE", 'ongoing-request="true"', State.COMING, None),
        ("GLACIER", READY, State.READY, datetime(2026, 12, 21, tzinfo=UTC)),
    ],
)
def test_where_an_object_is(storage_class, header, state, until):
    assert read_state(storage_class, header) == (state, until)


def test_deep_archive_has_no_expedited_retrieval():
    assert ("DEEP_ARCHIVE", Tier.EXPEDITED) not in HOURS


@pytest.mark.parametrize(
    ("days", "told"), [((30, 120, 2557), 0), ((30, 119, 2557), 1), ((30, 90, 269), 2)]
)
def test_moves_that_are_billed_as_if_they_came_later(days, told):
    assert len(early_moves(*days)) == told
