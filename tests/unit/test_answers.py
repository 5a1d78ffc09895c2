"""Answers of AWS that ended too soon are no answers."""

import pytest
from botocore.exceptions import IncompleteReadError

from haven.aws import is_transient, refuse_part

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
