"""Who cannot log in: an application that follows the pointer, and the roles with their secrets."""

import json
from pathlib import Path
from typing import Any

import psycopg

from tests.fault.inventory import Account


def pointer_refused(account: Account, ca_bundle: Path) -> list[str]:
    """Follow the pointer as an application does, through the proxy; say how that failed."""
    pointer = _content(account, "/writer")
    secret = _content(account, f"/{pointer['username']}")
    host = {"host": pointer["host"], "port": pointer["port"]}
    return _refused("an application that follows the pointer", secret | host, ca_bundle)


def secrets_refused(account: Account, ca_bundle: Path) -> list[str]:
    """Log in with every secret; say which let nobody in."""
    logins = ("master", "haven_migrator", "haven_app_a", "haven_app_b", "haven_reader")
    return pointer_refused(account, ca_bundle) + [
        wrong
        for login in (*logins, "haven_auditor")
        for wrong in _refused(f"the secret {login}", _content(account, f"/{login}"), ca_bundle)
    ]


def _content(account: Account, ending: str) -> Any:
    manager = account.client("secretsmanager")
    listed = manager.list_secrets()["SecretList"]
    (arn,) = (item["ARN"] for item in listed if item["Name"].endswith(ending))
    return json.loads(manager.get_secret_value(SecretId=arn)["SecretString"])


def _refused(who: str, content: Any, ca_bundle: Path) -> list[str]:
    try:
        psycopg.connect(
            host=content["host"],
            port=content["port"],
            dbname=content["dbname"],
            user=content["username"],
            password=content["password"],
            sslmode="verify-full",
            sslrootcert=str(ca_bundle),
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as error:
        return [f"{who} is refused as {content['username']}: {str(error).splitlines()[0]}"]
    return []
