"""Answers of AWS that are cut short, or that do not know yet what was just made."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import IncompleteReadError

from haven.answers import ATTEMPTS, SETTLING, Fresh, refuse_part
from haven.aws import is_transient

ROWS = [
    (b"", {"content-length": "10"}, True),  # the head of a HEAD request
    (b"12345", {"content-length": "5"}, True),
    (b"12345", {}, True),
    (b"12345", {"content-length": "odd"}, True),
    (b"123", {"content-length": "9", "content-encoding": "gzip"}, True),
    (object(), {"content-length": "9"}, True),  # a stream checks its own length
    (b"1234", {"content-length": "5"}, False),
]


@pytest.mark.parametrize(("body", "headers", "whole"), ROWS)
def test_an_answer_is_whole(body, headers, whole):
    answer = {"body": body, "headers": headers}
    refused = None
    try:
        refuse_part(answer)
    except IncompleteReadError as error:
        refused = error
    assert (refused is None) == whole
    assert refused is None or is_transient(refused)


class Steps:
    """Who is at work, and when."""

    def __init__(self):
        self.step, self.now = "a", 100.0
        self.fresh = Fresh(lambda: self.step, lambda: self.now)

    def call(self, operation, status=200):
        answer = SimpleNamespace(status_code=status)
        self.fresh.note(model=SimpleNamespace(name=operation), http_response=answer)

    def delay(self, code, attempts=1):
        return self.fresh.delay(attempts, (None, {"Error": {"Code": code}}))


@pytest.mark.parametrize(
    ("operation", "status", "step", "later", "code", "attempts", "again"),
    [
        ("CreateDBProxy", 200, "a", 1, "DBProxyNotFoundFault", 1, True),
        ("CreateRole", 200, "a", 1, "NoSuchEntity", 7, True),
        ("CreateBucket", 200, "a", 1, "NoSuchBucket", 1, True),
        ("CreateBucket", 200, "a", 1, "NoSuchLifecycleConfiguration", 1, False),
        ("CreateBucket", 200, "a", 1, "NoSuchKey", 1, False),
        ("CreateDBProxy", 200, "a", 1, "InvalidDBProxyStateFault", 1, False),
        ("CreateDBProxy", 200, "b", 1, "DBProxyNotFoundFault", 1, False),
        ("CreateDBProxy", 400, "a", 1, "DBProxyNotFoundFault", 1, False),
        ("DescribeDBProxies", 200, "a", 1, "DBProxyNotFoundFault", 1, False),
        ("CreateDBProxy", 200, "a", SETTLING + 1, "DBProxyNotFoundFault", 1, False),
        ("CreateDBProxy", 200, "a", 1, "DBProxyNotFoundFault", ATTEMPTS, False),
    ],
)
def test_what_was_just_made_is_asked_for_again(
    operation, status, step, later, code, attempts, again
):
    steps = Steps()
    steps.call(operation, status)
    steps.step, steps.now = step, steps.now + later
    assert (steps.delay(code, attempts) is not None) == again
    assert steps.fresh.delay(attempts, None) is None


@pytest.mark.parametrize(("status", "again"), [(200, False), (400, True)])
def test_what_was_deleted_is_not_asked_for_again(status, again):
    steps = Steps()
    steps.call("CreateDBInstance")
    steps.call("DeleteDBInstance", status)
    assert (steps.delay("DBInstanceNotFound") is not None) == again
