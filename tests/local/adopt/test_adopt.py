"""Adopt on the local cloud: a stack without Haven's tags is shown, asked about, and tagged only."""

import json
import os
import pty
import subprocess
import sys
import urllib.request

import pytest

from flows.adopt import AdoptParameters, adopt
from flows.destroy import DestroyParameters, destroy
from haven.errors import Conflict, Refused
from haven.stack import names
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


def yes(place):
    return AdoptParameters(confirm=place.stack.prefix)


@pytest.fixture(scope="module")
def stripped(place):
    """Make a stack that has no tag of Haven's, and one setting that differs."""
    made = place("adopted", zones="[]")
    made.provision()
    strip(made.client, made.stack)
    drift(made)
    return made


def test_a_stack_is_shown_refused_tagged_and_then_planned(stripped):
    with pytest.raises(Conflict, match="haven adopt"):
        stripped.provision(dry_run=True)

    shown = adopt(stripped.run(), AdoptParameters(dry_run=True))
    standings = {item.address: item.standing for item in shown.resources}
    assert set(standings.values()) == {Standing.UNTAGGED, Standing.UNTAGGABLE}
    assert {step.verb for step in shown.steps} == {"tag"}
    assert len(shown.steps) == list(standings.values()).count(Standing.UNTAGGED)
    (drifted,) = [item for item in shown.resources if item.differs]
    assert drifted.address.startswith("log-group/us-east-1/")
    assert "wanted 365, found 14" in drifted.differs[0]

    with pytest.raises(Refused, match=f"--confirm {stripped.stack.prefix}"):
        adopt(stripped.run(), AdoptParameters(confirm="yes"))

    recorded(stripped, "DELETE")
    done = adopt(stripped.run(), yes(stripped))
    written = [call["operation"] for call in recorded(stripped)["calls"] if call["mutating"]]
    evidence = [name for name in written if name == "PutObject"]
    assert set(written) - {"PutObject"} == TAGGING
    assert len(written) - len(evidence) == len(done.steps) == len(shown.steps)
    assert len(evidence) == 2

    plan = stripped.provision(dry_run=True)
    assert [(step.subject, step.verb) for step in plan.steps] == [(drifted.address, "update")]
    again = adopt(stripped.run(), AdoptParameters())
    assert (again.steps, again.aws_writes) == ([], 0)


def test_the_record_says_who_tagged_what_and_other_tags_stay(place):
    made = place("kept-tags", zones="[]")
    made.provision()
    strip(made.client, made.stack)
    done = adopt(made.run(), yes(made))
    s3 = made.client("s3")
    bucket = names.bucket(made.stack, "evidence")
    record = json.loads(s3.get_object(Bucket=bucket, Key=done.evidence)["Body"].read())
    assert (record["operation"], record["outcome"]) == ("adopt", "succeeded")
    assert f"tag bucket/us-east-1/{bucket}" in record["changes"]
    assert record["figures"]["untagged"] == len(done.steps)
    tags = {item["Key"]: item["Value"] for item in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == OTHERS | names.tags(made.stack, "evidence")
    assert destroy(made.run(), DestroyParameters(confirm=made.stack.prefix)).steps


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
        adopt(made.run(), yes(made))
    assert not [call for call in recorded(made)["calls"] if call["mutating"]]


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
