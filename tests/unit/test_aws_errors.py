"""What botocore raises, as one of Haven's errors; no value of a request is told."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    OperationNotPageableError,
    ParamValidationError,
)

from haven.aws import aws_error
from haven.errors import Conflict, Failed, InvalidRequest, Refused, Unavailable


def answered(code):
    return ClientError({"Error": {"Code": code, "Message": "No."}}, "CreateThing")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (NoCredentialsError(), InvalidRequest, "No AWS credentials"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), Unavailable, "did not answer"),
        (ParamValidationError(report="value: hunter2"), Failed, "cannot be made"),
        (OperationNotPageableError(operation_name="x"), Failed, "cannot be made"),
        (answered("AccessDenied"), Refused, "CreateThing answered AccessDenied: No"),
        (answered("ExpiredToken"), Unavailable, "Log in again"),
        (answered("Throttling"), Unavailable, "Run the same command again"),
        (answered("DBInstanceAlreadyExists"), Conflict, "It was not touched"),
        (answered("Odd"), Failed, "answered Odd"),
    ],
)
def test_an_error_is_told_by_its_kind(error, kind, words):
    told = aws_error(error, "a step")
    assert type(told) is kind
    assert words in str(told)
    assert "hunter2" not in str(told)


def test_what_is_no_error_of_aws_stays_what_it_is():
    with pytest.raises(ZeroDivisionError):
        aws_error(ZeroDivisionError(), "a step")
