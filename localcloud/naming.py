"""What an HTTP request asks for: service, region and operation, read off the request itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from localcloud import s3_naming

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
_UNSIGNED = ("us-east-1", "s3")


@dataclass(frozen=True, slots=True)
class Named:
    """One request by AWS's names."""

    service: str
    region: str
    operation: str


def scope(authorization: str, query: str) -> tuple[str, str]:
    """Return region and service from a signature, in a header or in a presigned query."""
    found = _SCOPE.search(authorization)
    if found:
        return found[1], found[2]
    credential = parse_qs(query).get("X-Amz-Credential", [""])[0].split("/")
    if len(credential) == 5:  # noqa: PLR2004  # key, date, region, service, aws4_request
        return credential[2], credential[3]
    return _UNSIGNED


# Signing names that differ from the names of boto3's clients.
_CLIENTS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "email": "ses"}


def of(environ: Mapping[str, object], body: bytes) -> Named:
    """Return the names of one request, from its WSGI environment and the head of its body."""
    query = str(environ.get("QUERY_STRING", ""))
    region, service = scope(str(environ.get("HTTP_AUTHORIZATION", "")), query)
    service = _CLIENTS.get(service, service)
    method = str(environ.get("REQUEST_METHOD", "GET"))
    path = str(environ.get("PATH_INFO", "/"))
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return Named(service, region, target.rsplit(".", 1)[-1])
    if service == "s3":
        copied = "HTTP_X_AMZ_COPY_SOURCE" in environ
        return Named(service, region, s3_naming.operation(method, path, query, copied=copied))
    form = str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")
    action = parse_qs(body.decode("utf-8", "replace") if form else query).get("Action")
    if action:
        return Named(service, region, action[0])
    return Named(service, region, _modelled(service, method, path))


def _modelled(service: str, method: str, path: str) -> str:
    """Return the operation of a REST service, by botocore's model of it."""
    from localcloud.rest_naming import operation  # noqa: PLC0415  # loads a model, seldom needed

    return operation(service, method, path)
