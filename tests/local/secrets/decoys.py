"""Texts put into every sink on purpose, as proof that the search sees what is there."""

import base64
import json
import secrets
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from psycopg import sql

from flows.endpoints import MASTER, writer_login
from haven.errors import Failed
from haven.pg import session
from haven.stack import names
from tests.local.secrets import others
from tests.local.secrets.place import Place
from tests.local.secrets.planted import Planted, whole

SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda value: f"postgresql://haven:{quote(value, safe='')}@127.0.0.1",
    "in JSON": lambda value: json.dumps({"password": value}),
    "in base64": lambda value: base64.b64encode(f"haven:{value}".encode()).decode(),
}
# It must outlive a look at the process list, and end by itself with this process.
ECHOES = "import sys; print(sys.stdin.read())"
WAITS = "import sys; sys.stdin.read()"


def decoys_for(sink: str) -> tuple[str, list[Planted]]:
    """Return a text that holds a fresh value in each spelling, and what to search for."""
    values = {
        f"decoy {spelling} for {sink}": (
            write,
            f"{secrets.token_urlsafe(12)}+&'{secrets.token_urlsafe(9)}",
        )
        for spelling, write in SPELLINGS.items()
    }
    text = " ".join(write(value) for write, value in values.values())
    return text, [whole(name, value) for name, (_, value) in values.items()]


def _print(place: Place, text: str) -> None:
    child = subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", ECHOES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    said, _ = child.communicate(text)
    place.console.append(said)


def _tell_prefect(place: Place, path: str, body: object) -> Any:
    return httpx.post(f"{place.prefect}/api/{path}", json=body).raise_for_status().json()


def _log(place: Place, text: str) -> None:
    entry = {
        "name": "decoy",
        "level": 20,
        "message": text,
        "timestamp": "2026-01-01T00:00:00Z",
        "flow_run_id": str(uuid.uuid4()),
    }
    httpx.post(f"{place.prefect}/api/logs/", json=[entry]).raise_for_status()


def _run(place: Place, text: str) -> None:
    flow = _tell_prefect(place, "flows/", {"name": "decoy"})
    _tell_prefect(place, "flow_runs/", {"flow_id": flow["id"], "parameters": {"given": text}})


def _artifact(place: Place, text: str) -> None:
    _tell_prefect(place, "artifacts/", {"key": "decoy", "type": "markdown", "data": text})


def _variable(place: Place, text: str) -> None:
    _tell_prefect(place, "variables/", {"name": "decoy", "value": text})


def _object(bucket: str) -> Callable[[Place, str], None]:
    def put(place: Place, text: str) -> None:
        name = names.bucket(place.open_run().loaded.stack, bucket)
        s3 = place.ground.account.client("s3")
        s3.put_object(Bucket=name, Key="evidence/99999999.json", Body=text.encode())

    return put


def _describe(place: Place, text: str) -> None:
    manager = place.ground.account.client("secretsmanager")
    manager.create_secret(Name="decoy", Description=text, SecretString="{}")


def _fail_in_sql(place: Place, text: str) -> None:
    statement = sql.SQL("SELECT {}::integer").format(sql.Literal(text))
    with others.primary(place) as connection, pytest.raises(psycopg.Error):
        connection.execute(statement)


def _comment(place: Place, text: str) -> None:
    statement = sql.SQL("COMMENT ON SCHEMA public IS {}").format(sql.Literal(text))
    with session(writer_login(place.open_run(), None, MASTER)) as connection:
        connection.execute(statement)


def _mail(place: Place, text: str) -> None:
    (place.ground.cloud.data / "mail" / "new" / "decoy").write_text(text, encoding="utf-8")


def _process(place: Place, *arguments: str, **more: Any) -> None:
    command = [sys.executable, "-c", WAITS, *arguments]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, **more)  # noqa: S603  # as above
    others.until("a process to be seen", lambda: place.watch.has_seen(child.pid))
    child.communicate()


def _raise(place: Place, text: str) -> None:
    def act(_run: object) -> None:
        try:
            int(text)
        except ValueError:
            raise Failed("It fails.") from None

    place.failing(act)


PLANTS: Mapping[str, Callable[[Place, str], None]] = {
    "console": _print,
    "logs in Prefect": _log,
    "runs in Prefect": _run,
    "Prefect's database": _variable,
    "artifacts": _artifact,
    "evidence": _object("evidence"),
    "other buckets": _object("state"),
    "descriptions of AWS": _describe,
    "PostgreSQL's logs": _fail_in_sql,
    "PostgreSQL's views": _comment,
    "files of the local cloud": _mail,
    "process list": _process,
    "environments": lambda place, text: _process(place, env={"DECOY": text}),
    "exceptions": _raise,
    "representations": lambda place, text: place.shown.append(repr(text)),
}
