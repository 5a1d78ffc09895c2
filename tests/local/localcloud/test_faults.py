"""Faults on demand: each does to a request what it says, once, and to no other request."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest

from localcloud.faults import KINDS

pytestmark = pytest.mark.local

LOST = (
    botocore.exceptions.ConnectionClosedError,
    botocore.exceptions.EndpointConnectionError,
    botocore.exceptions.ReadTimeoutError,
)
# botocore takes S3's XML that ends too soon for an answer with status 500.
CUT = (
    botocore.exceptions.ClientError,
    botocore.exceptions.ResponseStreamingError,
    botocore.exceptions.IncompleteReadError,
    *LOST,
)


@pytest.fixture
def arm(cloud: Any) -> Iterator[Any]:
    def arm(kind: str, operation: str, **more: Any) -> None:
        cloud.control("POST", "faults", {"kind": kind, "operation": operation, **more})

    yield arm
    cloud.control("DELETE", "faults")


def queues(sns: Any, name: str) -> int:
    return sum(item["TopicArn"].endswith(name) for item in sns.list_topics()["Topics"])


def broken_create(cloud: Any, name: str) -> type[Exception]:
    """Make a topic while a fault is armed for both attempts; return how that failed."""
    try:
        cloud.client("sns").create_topic(Name=name)
    except (*LOST, botocore.exceptions.ClientError) as error:
        return type(error)
    raise AssertionError("nothing failed")


@pytest.mark.parametrize(
    ("kind", "effect"),
    [
        ("error", False),
        ("reset", False),
        ("silence", False),
        ("late-error", True),
        ("late-reset", True),
        ("late-silence", True),
    ],
)
def test_a_request_fails_before_or_after_its_effect(
    cloud: Any, name: str, arm: Any, kind: str, effect: bool
) -> None:
    arm(kind, "CreateTopic", service="sns", times=2, seconds=0.05)
    failure = broken_create(cloud, name)
    expected = (botocore.exceptions.ClientError,) if kind.endswith("error") else LOST
    assert issubclass(failure, expected)
    assert queues(cloud.client("sns"), name) == int(effect)
    cloud.client("sns").create_topic(Name=name)
    assert queues(cloud.client("sns"), name) == 1


def test_the_first_requests_may_pass(cloud: Any, name: str, arm: Any) -> None:
    arm("error", "GetTopicAttributes", skip=1, times=2, code="NotFound", status=404)
    sns = cloud.client("sns")
    arn = sns.create_topic(Name=name)["TopicArn"]
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["TopicArn"] == arn
    for _ in range(2):
        with pytest.raises(sns.exceptions.NotFoundException):
            sns.get_topic_attributes(TopicArn=arn)
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["TopicArn"] == arn
    assert [item["met"] for item in cloud.control("GET", "faults")["faults"]] == [2]


def test_half_an_answer_is_no_answer(cloud: Any, name: str, arm: Any) -> None:
    cloud.client("s3").create_bucket(Bucket=name)
    arm("cut", "ListBuckets", times=2)
    with pytest.raises(CUT):
        cloud.client("s3").list_buckets()
    assert name in {item["Name"] for item in cloud.client("s3").list_buckets()["Buckets"]}


def test_a_stale_read_is_the_one_before(cloud: Any, name: str, arm: Any) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    arm("stale", "GetBucketTagging", skip=1)
    with pytest.raises(s3.exceptions.ClientError):
        s3.get_bucket_tagging(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    with pytest.raises(s3.exceptions.ClientError):
        s3.get_bucket_tagging(Bucket=name)
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "a", "Value": "1"}]


def test_a_slow_answer_is_an_answer(cloud: Any, name: str, arm: Any) -> None:
    arm("slow", "CreateTopic", seconds=0.1)
    assert cloud.client("sns").create_topic(Name=name)["TopicArn"].endswith(name)
    assert [item["met"] for item in cloud.control("GET", "faults")["faults"]] == [1]


@pytest.mark.parametrize(
    "given",
    [
        [],
        {"kind": "odd"},
        {"kind": "error", "times": -1},
        {"kind": "error", "skip": "1"},
        {"kind": "slow", "seconds": 601},
        {"kind": "error", "status": 200},
        {"kind": "error", "status": "500"},
        {"kind": "error", "operation": 5},
        {"kind": "error", "code": ["a"]},
        {"kind": "error", "colour": "red"},
        {},
    ],
)
def test_a_fault_that_cannot_be_is_refused(cloud: Any, given: object) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        cloud.control("POST", "faults", given)
    assert refused.value.code == 400
    error = json.load(refused.value)["error"]
    assert error
    assert "instances of" not in error
    assert cloud.control("GET", "faults") == {"faults": []}


def test_every_kind_of_fault_is_tried_here() -> None:
    tried = {"error", "reset", "silence", "late-error", "late-reset", "late-silence"}
    assert tried | {"cut", "stale", "slow"} == set(KINDS)
