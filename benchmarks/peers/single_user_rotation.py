"""The peer of ``benchmarks/rotation.py``: one role, rotated in place, in the usual four steps.

What AWS's rotation function for a single user does: create a pending version, set the role's
password, test it with a login, and make the version current. Between set and finish, and for as
long as clients keep what they have read, the password they know is wrong.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from ground.applications import connected
from psycopg import sql


def rotate(client: Any, secret: str, master: str, ca_bundle: Path) -> None:
    """Rotate the role of a secret once."""
    token = str(uuid.uuid4())
    current = client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")
    content = json.loads(current["SecretString"])
    password = client.get_random_password(PasswordLength=32, ExcludeCharacters="/@\"'\\ :%")
    content["password"] = password["RandomPassword"]
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=token,
        SecretString=json.dumps(content),
        VersionStages=["AWSPENDING"],
    )
    with connected(json.loads(_text(client, master)), ca_bundle) as connection:
        verifier = connection.pgconn.encrypt_password(
            content["password"].encode(), content["username"].encode(), b"scram-sha-256"
        )
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(content["username"]), sql.Literal(verifier.decode())
        )
        connection.execute(statement)
    with connected(content, ca_bundle) as connection:
        connection.execute("SELECT now()")
    client.update_secret_version_stage(
        SecretId=secret,
        VersionStage="AWSCURRENT",
        MoveToVersionId=token,
        RemoveFromVersionId=current["VersionId"],
    )


def _text(client: Any, secret: str) -> str:
    return str(client.get_secret_value(SecretId=secret)["SecretString"])
