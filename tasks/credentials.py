"""Secrets Manager: the credentials of a stack, their versions and what their content lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from haven.credentials.check import Credential, Version
from haven.pg import Login, session
from haven.sql import QUERIES
from haven.stack import names
from tasks.kinds import looks
from tasks.secrets import PASSWORD
from tasks.site import Site


@looks
def observe_credentials(site: Site, host: str) -> list[Credential]:
    """Read the stack's login secrets, also those that are being deleted, for a database's host."""
    stack = site.stack
    client = site.cloud.client("secretsmanager", stack.region)
    pages = client.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": [names.secret(stack, "")]}], IncludePlannedDeletion=True
    )
    listed = {
        item["Name"]: item
        for page in pages
        for item in page["SecretList"]
        if item["Name"] != names.pointer(stack)
    }
    kept = [name for name, item in sorted(listed.items()) if "DeletedDate" not in item]
    contents = {}
    if kept:
        answer = client.batch_get_secret_value(SecretIdList=kept)
        contents = {item["Name"]: item.get("SecretString", "") for item in answer["SecretValues"]}
    return [
        _read(site, client, listed[name], contents.get(name, ""), host) for name in sorted(listed)
    ]


@looks
def login_roles(login: Login) -> list[str]:
    """Return the roles that can log in to a database, those of RDS itself left out."""
    with session(login) as connection:
        return [role for (role,) in connection.execute(QUERIES["login_roles"])]


def _read(site: Site, client: Any, item: Mapping[str, Any], content: str, host: str) -> Credential:
    name = item["Name"]
    login = name.rpartition("/")[2]
    role = site.stack.database.master_username if login == "master" else login
    return Credential(
        name,
        role,
        tuple(versions(client, item["ARN"])),
        item["ARN"],
        _wrong(content, role, host),
        _rotator(item),
        item.get("DeletedDate"),
    )


def versions(client: Any, arn: str) -> Iterator[Version]:
    """Yield every version; botocore has no paginator for them."""
    token: dict[str, str] = {}
    while True:
        page = client.list_secret_version_ids(SecretId=arn, IncludeDeprecated=True, **token)
        for item in page["Versions"]:
            stages = frozenset(item.get("VersionStages", ()))
            yield Version(item["VersionId"], stages, item["CreatedDate"])
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _rotator(item: Mapping[str, Any]) -> str:
    """Name who else rotates a secret: AWS's own functions need nothing else to be told."""
    if item.get("OwningService"):
        return str(item["OwningService"])
    return "a function of Secrets Manager" if item.get("RotationEnabled") else ""


def _wrong(text: str, role: str, host: str) -> str:
    """Say what a login cannot do without; nothing of the content but names is told."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return "its current version holds no JSON object"
    if not content.get(PASSWORD):
        return "its current version has no password"
    if content.get("username") != role:
        return f"its current version is of another user than {role}"
    if content.get("host") != host:
        return f"its current version is for another host than {host}"
    return ""
