"""Secrets Manager: login secrets, their hosts, and the pointer. Passwords stay in here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Conflict, InvalidRequest
from haven.plan import Change
from haven.stack.names import TAG_STACK
from haven.stack.resource import Found, Resource
from haven.stack.secret import Pointer, Secret, SecretHost
from tasks.kinds import changes, classified, looks
from tasks.site import Observation, Site, as_map, only

NAMESPACE = uuid.UUID("6f9f0d5e-6e0b-4a7b-9a3e-5d0c6b8f7a11")
CURRENT = "AWSCURRENT"
PASSWORD = "password"  # noqa: S105  # the name of a JSON key
# What RDS refuses in a master's password, and what URLs and shells take for something else.
EXCLUDED = "/@\"'\\ :%"
MISSING = ("ResourceNotFoundException",)


@looks
def observe_secrets(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Read the stack's secrets: key, copies and content, the passwords left out."""
    kept: list[Secret | Pointer] = [*only(Secret, wanted), *only(Pointer, wanted)]
    client = site.cloud.client("secretsmanager", region)
    listed = _listed(site, client)
    away = site.stack.recovery_region
    # Of a region that does not answer, copies are taken to be as they were.
    copied = (
        listed if away in site.unseen else _listed(site, site.cloud.client("secretsmanager", away))
    )
    contents = {
        name: {key: value for key, value in content.items() if key != PASSWORD}
        for name, content in read_contents(site, [item.name for item in kept]).items()
    }
    found: dict[str, Found[Resource]] = {}
    for item in kept:
        if item.name in listed:
            found[item.address] = _read(
                site, item, listed[item.name], copied, contents.get(item.name, {})
            )
    for host in only(SecretHost, wanted):
        value = contents.get(host.name, {}).get("host")
        if value:
            arn = listed[host.name]["ARN"]
            seen = SecretHost(name=host.name, region=host.region, secret=arn, host=value)
            found[host.address] = Found(seen, arn)
    return found


def _listed(site: Site, client: Any) -> dict[str, dict[str, Any]]:
    prefix = f"{site.stack.project}/{site.stack.environment}/"
    pages = client.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": [prefix]}]
    )
    return {item["Name"]: item for page in pages for item in page["SecretList"]}


def _is_copy(site: Site, item: Secret | Pointer, there: Mapping[str, Any] | None) -> bool:
    """Tell a copy from a secret of its own of that name, as a promotion across regions leaves it.

    Raises ``Conflict`` where that one is somebody else's: it would be overwritten.
    """
    away = item.replica_region
    if there is None or away in site.unseen or there.get("PrimaryRegion", away) == item.region:
        return there is not None
    if as_map(there.get("Tags")).get(TAG_STACK) != site.stack.prefix:
        raise Conflict(
            f"The secret {item.name} in {item.replica_region} is not of the stack "
            f"'{site.stack.prefix}'.",
            left="It was not touched.",
            cure="Rename it, or choose another recovery region.",
        )
    return False


def _read(
    site: Site,
    item: Secret | Pointer,
    listed: dict[str, Any],
    copied: Mapping[str, Any],
    content: Mapping[str, str],
) -> Found[Resource]:
    arn = listed["ARN"]
    replica = item.replica_region if _is_copy(site, item, copied.get(item.name)) else ""
    values: dict[str, Any] = {
        "name": item.name,
        "region": item.region,
        "description": listed.get("Description", ""),
        "key": listed.get("KmsKeyId", ""),
        "content": tuple(sorted(content.items())),
        "replica_region": replica,
        "replica_key": item.replica_key,
    }
    seen = Secret(**values) if isinstance(item, Secret) else Pointer(**values, active=())
    return Found(seen, arn, _outputs(item, arn), as_map(listed.get("Tags")))


def _outputs(item: Secret | Pointer, arn: str) -> dict[str, str]:
    return {
        "arn": arn,
        "replica_arn": arn.replace(f":{item.region}:", f":{item.replica_region}:"),
    }


def read_contents(site: Site, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the current content of each secret that exists, passwords included.

    Read once a run, until a secret is written. Callers keep it in local variables: it is never
    returned from a step.
    """
    known = site.vault.get(names)
    missing = [name for name in names if name not in known]
    if not missing:
        return known
    client = site.cloud.client("secretsmanager", site.stack.region)
    with classified("the secrets of the stack"):
        answer = client.batch_get_secret_value(SecretIdList=missing)
    fetched = {
        item["Name"]: parsed(item["Name"], item["SecretString"]) for item in answer["SecretValues"]
    }
    site.vault.keep(fetched)
    return known | fetched


def parsed(name: str, text: str) -> dict[str, str]:
    """Read a secret's JSON object. Raises ``InvalidRequest`` naming the secret if it is none."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InvalidRequest(
            f"The secret {name} does not hold a JSON object.",
            left="Nothing was touched.",
            cure="Put back its previous version in Secrets Manager.",
        )
    return {str(key): str(value) for key, value in content.items()}


@changes
def apply_secret(
    site: Site, secret: Secret, found: Found[Secret] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the secret with a password of its own, or put right key, content and copy."""
    client = site.client("secretsmanager", secret)
    if not found:
        content = dict(secret.content) | {PASSWORD: new_password(site, client)}
        return _create(site, client, secret, content)
    _repair(client, secret, found.arn, {change.attribute for change in changed})
    site.vault.forget()
    return Found(secret, found.arn, _outputs(secret, found.arn), site.tags(secret))


def new_password(site: Site, client: Any) -> str:
    """Let Secrets Manager make a password by the stack's policy."""
    policy = site.stack.secrets
    answer = client.get_random_password(
        PasswordLength=policy.password_length,
        ExcludeCharacters=EXCLUDED,
        ExcludePunctuation=not policy.punctuation,
        RequireEachIncludedType=True,
    )
    return str(answer["RandomPassword"])


@changes
def apply_pointer(
    site: Site, pointer: Pointer, found: Found[Pointer] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the pointer, or put right its endpoint; which secret is active stays as it is."""
    client = site.client("secretsmanager", pointer)
    if not found:
        return _create(site, client, pointer, dict(pointer.content + pointer.active))
    _repair(client, pointer, found.arn, {change.attribute for change in changed})
    site.vault.forget()
    return Found(pointer, found.arn, _outputs(pointer, found.arn), site.tags(pointer))


@changes
def apply_secret_host(
    site: Site, host: SecretHost, _found: Found[SecretHost] | None, _: Sequence[Change]
) -> Found[Resource]:
    """Write the host into a secret as a new version, unless it is there already."""
    client = site.client("secretsmanager", host)
    _put(client, host.secret, {"host": host.host})
    site.vault.forget()
    return Found(host, host.secret)


def _create(
    site: Site, client: Any, item: Secret | Pointer, content: Mapping[str, str]
) -> Found[Resource]:
    copies = [{"Region": item.replica_region, "KmsKeyId": item.replica_key}]
    try:
        arn = client.create_secret(
            Name=item.name,
            Description=item.description,
            KmsKeyId=item.key,
            SecretString=json.dumps(content),
            ClientRequestToken=str(uuid.uuid4()),
            Tags=site.tag_list(item),
            AddReplicaRegions=copies,
        )["ARN"]
    except ClientError as error:
        if not is_code(error, "ResourceExistsException"):
            raise
        arn = _ours(site, client, item)
    site.vault.forget()
    return Found(item, arn, _outputs(item, arn), site.tags(item))


def _ours(site: Site, client: Any, item: Secret | Pointer) -> str:
    """Return the ARN of a secret that an attempt of ours made before its answer was lost."""
    described = client.describe_secret(SecretId=item.name)
    tags = as_map(described.get("Tags"))
    if any(tags.get(key) != value for key, value in site.tags(item).items()):
        raise InvalidRequest(
            f"The secret {item.name} exists and is not ours.", left="It was not touched."
        )
    return str(described["ARN"])


def _repair(client: Any, item: Secret | Pointer, arn: str, attributes: set[str]) -> None:
    if "key" in attributes:
        client.update_secret(SecretId=arn, KmsKeyId=item.key)
    if "replica_region" in attributes:
        client.replicate_secret_to_regions(
            SecretId=arn,
            AddReplicaRegions=[{"Region": item.replica_region, "KmsKeyId": item.replica_key}],
            # What a promotion across regions has left there under this name is out of date.
            ForceOverwriteReplicaSecret=True,
        )
    if "content" in attributes:
        _put(client, arn, dict(item.content))


def _put(client: Any, arn: str, entries: Mapping[str, str]) -> None:
    """Add entries to the current version; the token ties the new version to the old one."""
    current = client.get_secret_value(SecretId=arn, VersionStage=CURRENT)
    before = parsed(arn, current["SecretString"])
    after = before | dict(entries)
    if after == before:
        return
    described = json.dumps([current["VersionId"], sorted(entries.items())])
    client.put_secret_value(
        SecretId=arn,
        SecretString=json.dumps(after),
        ClientRequestToken=str(uuid.uuid5(NAMESPACE, described)),
        VersionStages=[CURRENT],
    )


@changes
def free_secrets(site: Site, region: str, names: Sequence[str]) -> None:
    """Let the copies of secrets in a region go on by themselves, whatever becomes of the others."""
    client = site.cloud.client("secretsmanager", region)
    listed = _listed(site, client)
    for name in names:
        item = listed.get(name, {})
        if item.get("PrimaryRegion", region) != region:
            client.stop_replication_to_replica(SecretId=item["ARN"])
    site.vault.forget()


@changes
def delete_secret(site: Site, found: Found[Resource]) -> None:
    """Delete a secret at once, its copy first; only a disposable stack comes here."""
    client = site.client("secretsmanager", found.resource)
    region = getattr(found.resource, "replica_region", "")
    try:
        if region:
            client.remove_regions_from_replication(
                SecretId=found.arn, RemoveReplicaRegions=[region]
            )
        client.delete_secret(SecretId=found.arn, ForceDeleteWithoutRecovery=True)
    except ClientError as error:
        if not is_code(error, *MISSING):
            raise


def passwords(site: Site, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each existing secret's name and current password."""
    for name, content in read_contents(site, names).items():
        if PASSWORD in content:
            yield name, content[PASSWORD]
