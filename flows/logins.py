"""Proving a stack: a login over verified TLS through every endpoint, and what answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, Field

from flows.frame import Run
from flows.graph import gather
from haven.pg import Login
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.proxy import ProxyTarget
from haven.stack.resource import Found, Resource
from tasks.probes import probe_login
from tasks.secrets import passwords

Observed = Mapping[str, Found[Resource]]


class Endpoint(BaseModel):
    """An endpoint that a login was verified through."""

    name: str
    address: str
    user: str
    in_recovery: bool = Field(description="True on a replica.")
    server_version: str


READER = "haven_reader"


@dataclass(frozen=True, slots=True)
class _Door:
    name: str
    host: str
    port: int
    user: str
    replica: bool


def prove_logins(run: Run, observed: Observed) -> list[Endpoint]:
    """Log in through every endpoint with the role it is for; return what answered."""
    doors = _doors(observed)
    stack = run.loaded.stack
    users = sorted({door.user for door in doors})
    secrets = [names.secret(stack, user) for user in users]
    by_name = dict(passwords(run.site, secrets))
    work = {
        f"{door.name} {door.user}": partial(
            _prove, run, door, by_name[names.secret(stack, door.user)]
        )
        for door in doors
    }
    proven = gather(work, workers=run.settings.parallel)
    return [proven[name] for name in work]


def replica_logins(run: Run, observed: Observed) -> dict[str, Login]:
    """Return the readers' login on each replica that was seen, by its name."""
    doors = [door for door in _doors(observed) if door.replica]
    if not doors:
        return {}
    secret = names.secret(run.loaded.stack, READER)
    password = dict(passwords(run.site, [secret])).get(secret, "")
    return {door.name: _login(run, door, password, "haven migrate") for door in doors}


def _doors(observed: Observed) -> list[_Door]:
    doors: list[_Door] = []
    for found in observed.values():
        resource = found.resource
        if isinstance(resource, Instance) and "host" in found.outputs:
            user = READER if resource.is_replica else "haven_migrator"
            doors.append(_door(resource.name, found, user, replica=resource.is_replica))
        if isinstance(resource, ProxyTarget):
            proxy = observed[f"proxy/{resource.region}/{resource.name}"]
            doors += [
                _door(resource.name, proxy, user, replica=False) for user in names.PROXY_ROLES
            ]
    return sorted(doors, key=lambda door: (door.name, door.user))


def _door(name: str, found: Found[Resource], user: str, *, replica: bool) -> _Door:
    port = int(found.outputs.get("port", "5432"))
    return _Door(name, found.outputs["host"], port, user, replica)


def _login(run: Run, door: _Door, password: str, application: str) -> Login:
    return Login(
        host=door.host,
        port=door.port,
        database=run.loaded.stack.database.name,
        user=door.user,
        password=password,
        ca_bundle=run.site.cloud.ca_bundle,
        application=application,
        writable=not door.replica,
        answer_limit=run.settings.request_timeout,
    )


def _prove(run: Run, door: _Door, password: str) -> Endpoint:
    login = _login(run, door, password, "haven provision")
    answer = probe_login(login, run.settings.interval)
    return Endpoint(
        name=door.name,
        address=f"{door.host}:{door.port}",
        user=door.user,
        in_recovery=answer.in_recovery,
        server_version=answer.server_version,
    )
