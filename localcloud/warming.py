"""The first requests of a local cloud: what moto does once per service is done before it serves."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field

from werkzeug.test import Client

from localcloud.server import Door


@dataclass(frozen=True, slots=True)
class First:
    """One request: for a service, by the name it signs with."""

    service: str
    path: str = "/"
    form: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def warm(door: Door) -> None:
    """Send every first request, whatever it is answered.

    What is loaded by then stays for the life of the process: no collection looks at it again.
    """
    client = Client(door)
    for first in _firsts():
        headers = {"Authorization": _authorization(first.service), **first.headers}
        client.open(
            first.path,
            method="GET" if first.form is None else "POST",
            data=first.form or None,
            headers=headers,
        )
    gc.collect()
    gc.freeze()
    gc.enable()


def _firsts() -> Iterator[First]:
    yield _query("sts", "GetCallerIdentity", "2011-06-15")
    yield _query("ec2", "DescribeSecurityGroups", "2016-11-15")
    yield _query("iam", "GetRole", "2010-05-08", RoleName="none")
    yield _query("sns", "ListTopics", "2010-03-31")
    yield _query("monitoring", "DescribeAlarms", "2010-08-01")
    # An answer that is an error needs the tables of errors as well.
    yield _query("rds", "DescribeDBInstances", "2014-10-31", DBInstanceIdentifier="none")
    yield _json("kms", "TrentService.ListKeys")
    yield _json("secretsmanager", "secretsmanager.ListSecrets")
    yield _json("logs", "Logs_20140328.DescribeLogGroups")
    yield _json("tagging", "ResourceGroupsTaggingAPI_20170126.GetResources")
    yield First("s3")
    yield First("s3", "/none", headers={"Host": "127.0.0.1"})
    yield First("route53", "/2013-04-01/hostedzone")


def _query(service: str, action: str, version: str, **parameters: str) -> First:
    return First(service, form={"Action": action, "Version": version, **parameters})


def _json(service: str, target: str) -> First:
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    return First(service, form={}, headers=headers)


def _authorization(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/{service}/aws4_request,"
