"""When lifecycle rules of S3 are due, and where objects go."""

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.objects.rules import LEAST_BYTES, Rule, is_due, moved_to

MADE = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
TIERS = ((30, "GLACIER"), (90, "DEEP_ARCHIVE"))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 3, 2, 10, 31, tzinfo=UTC), False),
        (datetime(2026, 3, 2, 23, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 3, tzinfo=UTC), True),
    ],
)
def test_days_are_rounded_up_to_midnight(now, due):
    assert is_due(MADE, 1, now) is due
    assert is_due(MADE, None, now) is False


def test_what_was_made_at_midnight_is_due_at_midnight():
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    assert is_due(midnight, 1, midnight + timedelta(days=1))


@pytest.mark.parametrize(
    ("present", "size", "days", "wanted"),
    [
        ("STANDARD", LEAST_BYTES, 30, "STANDARD"),
        ("STANDARD", LEAST_BYTES, 31, "GLACIER"),
        ("STANDARD", LEAST_BYTES, 91, "DEEP_ARCHIVE"),
        ("DEEP_ARCHIVE", LEAST_BYTES, 31, "DEEP_ARCHIVE"),
        ("STANDARD", LEAST_BYTES - 1, 91, "STANDARD"),
    ],
)
def test_objects_go_to_colder_classes_only(present, size, days, wanted):
    now = MADE + timedelta(days=days)
    assert moved_to(present, size, TIERS, MADE, now) == wanted


def test_a_rule_is_for_a_prefix_and_tags():
    rule = Rule("exports/", (("kind", "weekly"),))
    assert rule.fits("exports/1", [("kind", "weekly"), ("more", "x")])
    assert not rule.fits("exports/1")
    assert not rule.fits("manifests/1", [("kind", "weekly")])
