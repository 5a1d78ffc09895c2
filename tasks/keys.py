"""KMS: keys with alias, rotation and policy."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from haven.aws import is_code
from haven.plan import Change
from haven.stack import names
from haven.stack.key import Key
from haven.stack.resource import Found, Resource
from tasks.kinds import changes, looks
from tasks.site import Observation, Site, only


@looks
def observe_keys(site: Site, region: str, wanted: Sequence[Resource]) -> Observation:
    """Look up each key by its alias, else by its tags, with its rotation and policy.

    A key without its alias was made by an interrupted run, or somebody deleted the alias.
    """
    kms = site.cloud.client("kms", region)
    found: dict[str, Found[Resource]] = {}
    for key in only(Key, wanted):
        try:
            metadata = kms.describe_key(KeyId=f"alias/{key.name}")["KeyMetadata"]
            found[key.address] = _read(kms, key, metadata, has_alias=True)
        except kms.exceptions.NotFoundException:
            nameless = _find_nameless(site, key)
            if nameless:
                found[key.address] = _read(kms, key, nameless, has_alias=False)
    return found


def _read(kms: Any, key: Key, metadata: dict[str, Any], *, has_alias: bool) -> Found[Resource]:
    identifier, arn = metadata["KeyId"], metadata["Arn"]
    enabled = metadata["KeyState"] == "Enabled"
    rotation = kms.get_key_rotation_status(KeyId=identifier) if enabled else {}
    days = rotation.get("RotationPeriodInDays", 365) if rotation.get("KeyRotationEnabled") else 0
    policy = kms.get_key_policy(KeyId=identifier, PolicyName="default")["Policy"]
    return Found(
        Key(
            name=key.name,
            region=key.region,
            description=metadata.get("Description", ""),
            policy=policy,
            rotation_days=days,
            enabled=enabled,
            has_alias=has_alias,
        ),
        arn,
        {"arn": arn, "id": identifier},
    )


@changes
def apply_key(
    site: Site, key: Key, found: Found[Key] | None, changed: Sequence[Change]
) -> Found[Resource]:
    """Make the key, or the parts of it that differ, and return it as it is then."""
    kms = site.client("kms", key)
    identifier = found.outputs["id"] if found else _made(site, key)
    attributes = {change.attribute for change in changed}
    if found and "enabled" in attributes:
        _enable(kms, identifier)
    if not found or "rotation_days" in attributes:
        kms.enable_key_rotation(KeyId=identifier, RotationPeriodInDays=key.rotation_days)
    if found and "policy" in attributes:
        kms.put_key_policy(KeyId=identifier, PolicyName="default", Policy=key.policy)
    if not found or "has_alias" in attributes:
        _name(kms, key, identifier)
    metadata = kms.describe_key(KeyId=identifier)["KeyMetadata"]
    return Found(key, metadata["Arn"], {"arn": metadata["Arn"], "id": identifier}, site.tags(key))


def _made(site: Site, key: Key) -> str:
    """Make a key, unless an attempt before this one did.

    CreateKey has neither name nor token, so it is never retried within the call.
    """
    nameless = _find_nameless(site, key)
    if nameless:
        return str(nameless["KeyId"])
    kms = site.cloud.client("kms", key.region, retries=False)
    tags = [{"TagKey": name, "TagValue": value} for name, value in site.tags(key).items()]
    made = kms.create_key(Description=key.description, Policy=key.policy, Tags=tags)
    return str(made["KeyMetadata"]["KeyId"])


def _enable(kms: Any, identifier: str) -> None:
    state = kms.describe_key(KeyId=identifier)["KeyMetadata"]["KeyState"]
    if state == "PendingDeletion":
        kms.cancel_key_deletion(KeyId=identifier)
    kms.enable_key(KeyId=identifier)


def _find_nameless(site: Site, key: Key) -> dict[str, Any] | None:
    """Return the key with the stack's tag, without an alias, that is not being deleted."""
    kms = site.client("kms", key)
    aliased = {
        alias.get("TargetKeyId")
        for page in kms.get_paginator("list_aliases").paginate()
        for alias in page["Aliases"]
    }
    for page in kms.get_paginator("list_keys").paginate():
        for item in page["Keys"]:
            if item["KeyId"] not in aliased and _is_ours(site, kms, item["KeyId"]):
                return dict(kms.describe_key(KeyId=item["KeyId"])["KeyMetadata"])
    return None


def _is_ours(site: Site, kms: Any, identifier: str) -> bool:
    tags = kms.list_resource_tags(KeyId=identifier)["Tags"]
    owner = {tag["TagKey"]: tag["TagValue"] for tag in tags}.get(names.TAG_STACK)
    if owner != site.stack.prefix:
        return False
    state = kms.describe_key(KeyId=identifier)["KeyMetadata"]["KeyState"]
    return state in ("Enabled", "Disabled")


def _name(kms: Any, key: Key, identifier: str) -> None:
    try:
        kms.create_alias(AliasName=f"alias/{key.name}", TargetKeyId=identifier)
    except kms.exceptions.ClientError as error:
        if not is_code(error, "AlreadyExistsException"):
            raise


@changes
def delete_key(site: Site, found: Found[Key]) -> None:
    """Schedule the key's deletion after the shortest wait KMS allows, and free its alias."""
    kms = site.client("kms", found.resource)
    with contextlib.suppress(kms.exceptions.KMSInvalidStateException):  # scheduled already
        kms.schedule_key_deletion(KeyId=found.outputs["id"], PendingWindowInDays=7)
    if found.resource.has_alias:
        kms.delete_alias(AliasName=f"alias/{found.resource.name}")
