"""The secrets registered with a proxy, read each time a client logs in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.secretsmanager.models import secretsmanager_backends

if TYPE_CHECKING:
    from localcloud.rds.backend import Home
    from localcloud.rds.records import Proxy


def exists(home: Home, arn: str) -> bool:
    """Tell whether a secret exists in this region and is not being deleted."""
    return _live(home, arn) is not None


def _live(home: Home, arn: str) -> Any:
    secrets = secretsmanager_backends[home.account_id][home.region_name].secrets
    for secret in secrets.values():
        if secret.arn == arn and not secret.is_deleted():
            return secret
    return None


def _current(home: Home, arn: str) -> str | None:
    secret = _live(home, arn)
    for version in secret.versions.values() if secret else ():
        if "AWSCURRENT" in version.get("version_stages", []):
            return str(version.get("secret_string") or "")
    return None


def credentials(home: Home, proxy: Proxy) -> dict[str, str]:
    """Return password by user, of every registered secret's AWSCURRENT version."""
    table: dict[str, str] = {}
    for auth in proxy.settings["Auth"]:
        try:
            content = json.loads(_current(home, auth["SecretArn"]) or "{}")
        except ValueError:
            continue
        if isinstance(content, dict) and content.get("username") and content.get("password"):
            table[str(content["username"])] = str(content["password"])
    return table
