"""Adopt on the local cloud: a stack without Haven's tags is shown, asked about, and tagged only."""

import json
import os
import pty
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest

from flows.adopt import AdoptParameters, AdoptReport, adopt
from haven.errors import Conflict, Refused
from haven.stack import databases, names
from haven.stack.adoption import Standing
from tests.local.adopt.stripping import OTHERS, strip

pytestmark = pytest.mark.local

TAGGING = {
    "AddTagsToResource",
    "ChangeTagsForResource",
    "CreateTags",
    "PutBucketTagging",
    "TagResource",
    "TagRole",
}


def recorded(place, method="GET"):
    url = f"{place.settings.endpoint_url}/localcloud/calls"
    request = urllib.request.Request(url, method=method)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # loopback
        return json.load(answer)


def drift(place):
    place.client("logs").put_retention_policy(
        logGroupName=f"/aws/rds/instance/{place.primary}/postgresql", retentionInDays=14
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """A stack that lost Haven's tags and has one setting that differs, and how it was adopted."""

    place: Any
    before: AdoptReport
    done: AdoptReport
    written: list[str]


@pytest.fixture(scope="module")
def taken(place):
    made = place("adopted", zones="[]")
    made.provision()
    strip(made.client, made.stack)
    drift(made)
    with pytest.raises(Conflict, match="haven adopt"):
        made.provision(dry_run=True)
    with pytest.raises(Refused, match=f"--confirm {made.stack.prefix}"):
        adopt(made.run(), AdoptParameters(confirm="yes"))
    recorded(made, "DELETE")
    before = adopt(made.run(), AdoptParameters(dry_run=True))
    assert not written(made)
    done = adopt(made.run(), AdoptParameters(confirm=made.stack.prefix))
    return Taken(made, before, done, written(made))


def written(place):
    return [call["operation"] for call in recorded(place)["calls"] if call["mutating"]]


def test_everything_is_shown_with_what_differs(taken):
    standings = [item.standing for item in taken.before.resources]
    assert set(standings) == {Standing.UNTAGGED, Standing.UNTAGGABLE}
    assert {step.verb for step in taken.before.steps} == {"tag"}
    assert len(taken.before.steps) == standings.count(Standing.UNTAGGED)
    (drifted,) = [item for item in taken.before.resources if item.differs]
    assert drifted.address.startswith("log-group/us-east-1/")
    assert "wanted 365, found 14" in drifted.differs[0]


def test_tags_are_set_and_nothing_else(taken):
    evidence = [name for name in taken.written if name == "PutObject"]
    assert set(taken.written) - {"PutObject"} == TAGGING
    assert len(taken.written) - len(evidence) == len(taken.done.steps) == len(taken.before.steps)
    assert len(evidence) == 2


def test_a_plan_then_shows_the_drift_and_nothing_else(taken):
    plan = taken.place.provision(dry_run=True)
    group = f"log-group/us-east-1/{databases.log_group(taken.place.primary)}"
    assert [(step.subject, step.verb) for step in plan.steps] == [(group, "update")]


def test_a_second_adoption_has_nothing_to_do_and_asks_for_no_name(taken):
    again = adopt(taken.place.run(), AdoptParameters())
    assert (again.steps, again.aws_writes) == ([], 0)


def test_the_record_says_what_was_tagged_and_other_tags_stay(taken):
    s3, stack = taken.place.client("s3"), taken.place.stack
    bucket = names.bucket(stack, "evidence")
    record = json.loads(s3.get_object(Bucket=bucket, Key=taken.done.evidence)["Body"].read())
    assert (record["operation"], record["outcome"]) == ("adopt", "succeeded")
    assert f"tag bucket/us-east-1/{bucket}" in record["changes"]
    assert record["figures"]["untagged"] == len(taken.done.steps)
    tags = {item["Key"]: item["Value"] for item in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == OTHERS | names.tags(stack, "evidence")


def test_what_another_stack_owns_is_never_taken(place):
    made = place("coveted")
    topic = f"{made.stack.prefix}-alerts"
    marks = [{"Key": names.TAG_STACK, "Value": "another-stack"}]
    made.client("sns").create_topic(Name=topic, Tags=marks)
    made.client("iam").create_role(
        RoleName=f"{made.stack.prefix}-proxy", AssumeRolePolicyDocument="{}"
    )
    recorded(made, "DELETE")
    with pytest.raises(Refused, match=f"topic/us-east-1/{topic} belongs to 'another-stack'"):
        adopt(made.run(), AdoptParameters(confirm=made.stack.prefix))
    assert not written(made)


def haven(place, *arguments, answer=None):
    """Run the command line, at a terminal if there is an answer to give."""
    settings = place.settings
    environment = {
        **os.environ,  # noqa: TID251  # a child starts with the test's own
        "HAVEN_STACK": str(place.path),
        "HAVEN_ENDPOINT_URL": settings.endpoint_url,
        "HAVEN_CA_BUNDLE": str(settings.ca_bundle),
        "HAVEN_LOCAL_DATA": str(settings.local_data),
    }
    master, slave = pty.openpty()
    os.write(master, f"{answer or ''}\n".encode())
    try:
        return subprocess.run(  # noqa: S603  # ourselves
            [sys.executable, "-m", "haven.cli", "adopt", *arguments],
            env=environment,
            stdin=slave if answer else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(master)
        os.close(slave)


def test_a_person_is_asked_and_a_program_has_to_type_the_name(place):
    made = place("asked")
    made.client("sns").create_topic(Name=f"{made.stack.prefix}-alerts")
    dry = haven(made, "--dry-run")
    assert dry.returncode == 2
    assert f"would get haven:stack={made.stack.prefix}" in dry.stdout
    unasked = haven(made)
    assert unasked.returncode == 1
    assert f"--confirm {made.stack.prefix}" in unasked.stderr
    declined = haven(made, answer="no")
    assert declined.returncode == 1
    assert "Nothing was touched" in declined.stderr
    agreed = haven(made, answer="yes")
    assert agreed.returncode == 0, agreed.stderr
    assert "1 tagged" in agreed.stdout
    assert haven(made, "--dry-run").returncode == 0
