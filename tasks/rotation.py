"""Secrets Manager: the versions and stages of a rotation, and the pointer. Passwords stay in here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.credentials.check import CURRENT, PENDING, Credential
from haven.credentials.rotation import NAMESPACE
from haven.credentials.schedule import Pointed
from haven.errors import Conflict, InvalidRequest
from haven.stack import names
from tasks.credentials import versions
from tasks.kinds import changes, classified, looks
from tasks.secrets import PASSWORD, new_password, parsed
from tasks.site import Site

# What a stage is answered that is no longer where it was.
DONE_ALREADY = ("InvalidParameterException", "InvalidRequestException")


@looks
def observe_pointer(site: Site) -> Pointed:
    """Read where the pointer points. Raises ``InvalidRequest`` when it points nowhere."""
    name, client = names.pointer(site.stack), _client(site)
    answer = client.get_secret_value(SecretId=name, VersionStage=CURRENT)
    content = parsed(name, answer["SecretString"])
    if not content.get("secret") or not content.get("username"):
        raise InvalidRequest(
            f"The pointer {name} names no secret and username.",
            left="Nothing was touched.",
            cure="Put back its previous version in Secrets Manager.",
        )
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return Pointed(
        answer["ARN"],
        content["secret"],
        content["username"],
        answer["CreatedDate"],
        now,
        ever_moved=len(list(versions(client, answer["ARN"]))) > 1,
    )


@looks
def observe_again(site: Site, item: Credential) -> Credential:
    """Read the versions of a secret as they are now."""
    found = tuple(versions(_client(site), item.arn))
    return Credential(item.secret, item.role, found, item.arn)


@changes
def create_version(site: Site, item: Credential, token: str) -> None:
    """Make a pending version with a new password, and otherwise as the current one is."""
    client = _client(site)
    current = client.get_secret_value(SecretId=item.arn, VersionStage=CURRENT)
    content = parsed(item.secret, current["SecretString"])
    try:
        client.put_secret_value(
            SecretId=item.arn,
            SecretString=json.dumps(content | {PASSWORD: new_password(site, client)}),
            ClientRequestToken=token,
            VersionStages=[PENDING],
        )
    except ClientError as error:
        # An attempt whose answer was lost has made it; nobody else knows the token.
        if not is_code(error, "ResourceExistsException"):
            raise


@changes
def make_current(site: Site, item: Credential, version: str) -> None:
    """Move AWSCURRENT to a version, and take AWSPENDING from it."""
    client = _client(site)
    seen = _bearers(client, item)
    before = seen.get(CURRENT)
    if before != version:
        leaving = {"RemoveFromVersionId": before} if before else {}
        _restage(client, item, CURRENT, {"MoveToVersionId": version, **leaving})
    if seen.get(PENDING) == version:
        _restage(client, item, PENDING, {"RemoveFromVersionId": version})
    site.vault.forget()


@changes
def give_up_version(site: Site, item: Credential, version: str) -> None:
    """Take AWSPENDING from a version that will not be used."""
    client = _client(site)
    if _bearers(client, item).get(PENDING) == version:
        _restage(client, item, PENDING, {"RemoveFromVersionId": version})


def _bearers(client: Any, item: Credential) -> dict[str, str]:
    """Return which version bears each stage."""
    return {stage: version.id for version in versions(client, item.arn) for stage in version.stages}


def _restage(client: Any, item: Credential, stage: str, move: Mapping[str, str]) -> None:
    """Move a stage. A request whose answer was lost is sent again, and refused since it is done."""
    try:
        client.update_secret_version_stage(SecretId=item.arn, VersionStage=stage, **move)
    except ClientError as error:
        if not is_code(error, *DONE_ALREADY):
            raise
        if _bearers(client, item).get(stage) != move.get("MoveToVersionId"):
            raise


@changes
def move_pointer(site: Site, pointed: Pointed, item: Credential) -> None:
    """Let the pointer name another secret and role, unless it does already."""
    client = _client(site)
    current = client.get_secret_value(SecretId=pointed.arn, VersionStage=CURRENT)
    content = parsed(pointed.arn, current["SecretString"])
    if content.get("secret") == item.arn:
        return
    # Tied to the version it follows, so that a request that is sent again makes no second one.
    token = uuid.uuid5(NAMESPACE, f"{current['VersionId']}|{item.arn}")
    client.put_secret_value(
        SecretId=pointed.arn,
        SecretString=json.dumps(content | {"secret": item.arn, "username": item.role}),
        ClientRequestToken=str(token),
        VersionStages=[CURRENT],
    )
    site.vault.forget()


@looks
def refuse_managed_master(site: Site, region: str, instance: str) -> None:
    """Raise ``Conflict`` when RDS itself manages the master's password."""
    rds = site.cloud.client("rds", region)
    (item,) = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"]
    if item.get("MasterUserSecret"):
        raise Conflict(
            f"RDS manages the master's password of {instance} in a secret of its own.",
            left="Nothing was touched.",
            cure="Leave the master out, or turn ManageMasterUserPassword off.",
        )


def password_of(site: Site, item: Credential, version: str) -> str:
    """Return the password of one version. Callers keep it in a login, and never return it.

    Raises ``InvalidRequest`` when the version is for another user than the secret is.
    """
    with classified(f"the secret {item.secret}"):
        answer = _client(site).get_secret_value(SecretId=item.arn, VersionId=version)
    content = parsed(item.secret, answer["SecretString"])
    if content.get("username") != item.role or not content.get(PASSWORD):
        raise InvalidRequest(
            f"The version {version} of {item.secret} is not for {item.role}, or has no password.",
            left="It was not used.",
            cure="Take the stage AWSPENDING from it, or put its content right.",
        )
    return content[PASSWORD]


def _client(site: Site) -> Any:
    return site.cloud.client("secretsmanager", site.stack.region)
