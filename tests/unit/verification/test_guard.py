"""What may be deleted: a scratch copy of this stack, and nothing that only looks like one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from haven.stack import names
from haven.stack.model import Stack
from haven.verification.guard import (
    ROLE,
    TAG_KEEP,
    TAG_RUN,
    Candidate,
    Made,
    is_kept,
    is_scratch_name,
    scratch_name,
    why_not_delete,
)

STACK = Stack(environment="production", account="123456789012")
NAME = scratch_name(STACK, "0123abcd")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TAGS = names.tags(STACK, ROLE) | {TAG_RUN: "pid 1 of somebody"}
MADE = Made(NAME, "us-east-1", "db-SCRATCH", NOW)
OURS = Candidate(
    name=NAME,
    arn=f"arn:aws:rds:us-east-1:123456789012:db:{NAME}",
    resource_id="db-SCRATCH",
    status="available",
    created=NOW + timedelta(minutes=1),
    tags=TAGS,
)
PRIMARY = names.primary(STACK)
OTHER = "haven-health-passport-staging-scratch-0123abcd"


def test_ones_own_scratch_copy_may_go():
    assert why_not_delete(STACK, OURS, MADE) == []
    # A later run knows less of it.
    assert why_not_delete(STACK, OURS, Made(NAME, "us-east-1", "db-SCRATCH")) == []


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        ({"name": PRIMARY, "arn": OURS.arn.replace(NAME, PRIMARY)}, replace(MADE, name=PRIMARY)),
        ({"name": OTHER, "arn": OURS.arn.replace(NAME, OTHER)}, replace(MADE, name=OTHER)),
        ({"name": NAME + "0", "arn": OURS.arn + "0"}, replace(MADE, name=NAME + "0")),
        ({"name": f"x{NAME}", "arn": OURS.arn}, replace(MADE, name=f"x{NAME}")),
        ({}, replace(MADE, name=scratch_name(STACK, "ffffffff"))),
        ({"arn": OURS.arn.replace("123456789012", "210987654321")}, MADE),
        ({"arn": OURS.arn.replace("us-east-1", "us-west-2")}, MADE),
        ({"tags": {}}, MADE),
        ({"tags": names.tags(STACK, "database") | {TAG_RUN: "x"}}, MADE),
        ({"tags": TAGS | {names.TAG_STACK: "another"}}, MADE),
        ({"tags": TAGS | {names.TAG_MANAGED_BY: "terraform"}}, MADE),
        ({"tags": {key: value for key, value in TAGS.items() if key != TAG_RUN}}, MADE),
        ({"resource_id": "db-PRIMARY"}, MADE),
        ({"created": NOW - timedelta(days=400)}, MADE),
        ({"protected": True}, MADE),
        ({"source": PRIMARY}, MADE),
        ({"replicas": ("a-replica",)}, MADE),
        ({"proxied": True}, MADE),
        ({"backup_days": 35}, MADE),
    ],
)
def test_whatever_else_is_left_alone(changes, made):
    assert why_not_delete(STACK, replace(OURS, **changes), made) != []


def test_every_reason_is_told():
    wrong = replace(OURS, protected=True, replicas=("a", "b"), backup_days=7)
    assert why_not_delete(STACK, wrong, MADE) == [
        "it is protected from deletion",
        "it has replicas: a, b",
        "it has automated backups of 7 days",
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", False),
        ((NOW + timedelta(hours=1)).isoformat(), True),
        ((NOW - timedelta(hours=1)).isoformat(), False),
        ("tomorrow", True),
        ("2026-01-01T00:00:00", True),
    ],
)
def test_what_somebody_wants_to_keep_is_kept_and_what_cannot_be_read_too(text, kept):
    assert is_kept(replace(OURS, tags=TAGS | {TAG_KEEP: text}), NOW) is kept


def test_names():
    assert is_scratch_name(STACK, NAME)
    for name in (PRIMARY, OTHER, NAME.upper(), NAME + "\n", names.rehearsal(STACK)):
        assert not is_scratch_name(STACK, name)
