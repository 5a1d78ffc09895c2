"""Connections to the local cloud stay open, whatever was asked, and end where a fault says so."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.local.localcloud.conftest import Cloud

pytestmark = pytest.mark.local

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WHO = "Action=GetCallerIdentity&Version=2011-06-15"


@pytest.fixture
def connection(cloud: Cloud) -> Iterator[http.client.HTTPConnection]:
    place = urlsplit(cloud.running.endpoint_url)
    with closing(http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)) as made:
        yield made


def signed(service: str) -> dict[str, str]:
    scope = f"Credential=AK/20260101/us-east-1/{service}/aws4_request"
    return {**FORM, "Authorization": f"AWS4-HMAC-SHA256 {scope},"}


def status(connection: http.client.HTTPConnection, *request: object, **more: object) -> int:
    connection.request(*request, **more)  # type: ignore[arg-type]  # handed on as they are
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_a_connection_serves_one_request_after_the_other(
    connection: http.client.HTTPConnection, name: str
) -> None:
    s3 = signed("s3")
    assert status(connection, "POST", "/", WHO, signed("sts")) == 200
    first = connection.sock
    assert first is not None
    assert status(connection, "PUT", f"/{name}", headers=s3) == 200
    assert status(connection, "PUT", f"/{name}/a", b"\0" * 100_000, s3) == 200
    assert status(connection, "HEAD", f"/{name}/a", headers=s3) == 200
    assert status(connection, "HEAD", f"/{name}/none", headers=s3) == 404
    assert status(connection, "DELETE", f"/{name}/a", headers=s3) == 204
    assert (
        status(connection, "POST", "/", "Action=Nonsense&Version=2011-06-15", signed("sts")) >= 400
    )
    assert status(connection, "POST", "/", WHO, signed("sts")) == 200
    assert connection.sock is first


def test_a_body_whose_length_is_not_told_is_not_taken_for_the_next_request(
    connection: http.client.HTTPConnection, name: str
) -> None:
    assert status(connection, "PUT", f"/{name}", headers=signed("s3")) == 200
    pieces = iter([b"GET / HTTP/1.1\r\n", b"\r\n"])
    assert status(connection, "PUT", f"/{name}/b", pieces, signed("s3")) == 200
    assert connection.sock is None
    assert status(connection, "POST", "/", WHO, signed("sts")) == 200


def test_a_connection_that_a_fault_ends_is_not_answered_on(
    cloud: Cloud, connection: http.client.HTTPConnection
) -> None:
    cloud.control("POST", "faults", {"kind": "reset", "service": "sts", "times": 1})
    with pytest.raises(ConnectionError):
        status(connection, "POST", "/", WHO, signed("sts"))
    assert status(connection, "POST", "/", WHO, signed("sts")) == 200
