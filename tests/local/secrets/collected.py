"""Every secret of a stack, read where it belongs: the stores, the servers, their key files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests.fault.inventory import REGIONS, Account
from tests.local.secrets.planted import Planted, private_key, verifier, whole

STAGES = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")


class Collection:
    """What was a secret at any time of a test; the same value is kept once."""

    def __init__(self) -> None:
        """Start empty."""
        self._known: dict[tuple[bytes, ...], Planted] = {}
        self._names: dict[str, int] = {}

    def add(self, *secrets: Planted) -> None:
        """Keep secrets; another value of a known name gets a number."""
        for secret in secrets:
            if secret.pieces in self._known:
                continue
            count = self._names[secret.name] = self._names.get(secret.name, 0) + 1
            name = secret.name if count == 1 else f"{secret.name} ({count})"
            self._known[secret.pieces] = Planted(name, secret.pieces)

    def gather(self, account: Account, cloud: Path) -> None:
        """Add what is a secret now, in an account and in the folder of its local cloud."""
        self.add(*_stored(account), *_verifiers(cloud), *_keys(cloud))

    @property
    def secrets(self) -> list[Planted]:
        """Everything that was kept."""
        return list(self._known.values())


def _stored(account: Account) -> Iterator[Planted]:
    for region in REGIONS:
        manager = account.client("secretsmanager", region)
        for item in manager.list_secrets()["SecretList"]:
            login = item["Name"].rpartition("/")[2]
            for stage in STAGES:
                content = _content(manager, item["ARN"], stage)
                if "password" in content:
                    yield whole(f"password of {login}, {stage}", content["password"])
                    yield from _addresses(f"of {login}, {stage}", content)


def _content(manager: Any, arn: str, stage: str) -> dict[str, Any]:
    try:
        answer = manager.get_secret_value(SecretId=arn, VersionStage=stage)
    except manager.exceptions.ResourceNotFoundException:
        return {}
    try:
        content: dict[str, Any] = json.loads(answer["SecretString"])
    except ValueError:
        return {}
    return content


def _addresses(of: str, content: dict[str, Any]) -> Iterator[Planted]:
    """Yield the ways to write all of a login in one line."""
    if "host" not in content:
        return
    user, password = content["username"], content["password"]
    place = f"{content['host']}:{content['port']}/{content['dbname']}"
    yield whole(f"URL {of}", f"postgresql://{user}:{quote(password, safe='')}@{place}")
    yield whole(f"DSN {of}", f"user={user} password={password}")


def _verifiers(cloud: Path) -> Iterator[Planted]:
    for name, connection in servers(cloud):
        with connection:
            rows = connection.execute(
                "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword LIKE 'SCRAM-%'"
            ).fetchall()
        for role, text in rows:
            yield verifier(f"verifier of {role} in {name}", text)


def _keys(cloud: Path) -> Iterator[Planted]:
    for path in sorted(cloud.glob("clusters/*/server.key")):
        yield private_key(f"key of {path.parent.name}", path.read_text(encoding="ascii"))


def servers(
    cloud: Path, database: str = "postgres"
) -> Iterator[tuple[str, psycopg.Connection[tuple[Any, ...]]]]:
    """Yield a session of the internal superuser on each server that has the database."""
    for path in sorted(cloud.glob("clusters/*/server.json")):
        sockets = Path(json.loads(path.read_text(encoding="utf-8"))["sockets"])
        for socket in sockets.glob(".s.PGSQL.*[0-9]"):
            try:
                connection = psycopg.connect(
                    host=str(sockets),
                    port=int(socket.name.rpartition(".")[2]),
                    user="rdsadmin",
                    dbname=database,
                    sslmode="disable",
                    autocommit=True,
                )
            except psycopg.OperationalError:
                continue
            yield path.parent.name, connection
