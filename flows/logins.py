"""Proving a stack: a login over verified TLS through every endpoint, and what answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
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


class Sort(StrEnum):
    """What answers behind an endpoint."""

    WRITER = "writer"
    REPLICA = "replica"
    PROXY = "proxy"


READER = "haven_reader"
# Whose login proves an endpoint.
USERS: Mapping[Sort, tuple[str, ...]] = {
    Sort.WRITER: ("haven_migrator",),
    Sort.REPLICA: (READER,),
    Sort.PROXY: names.PROXY_ROLES,
}


@dataclass(frozen=True, slots=True)
class Door:
    """An endpoint that one can log in through."""

    name: str
    host: str
    port: int
    sort: Sort


def prove_logins(run: Run, observed: Observed) -> list[Endpoint]:
    """Log in through every endpoint with the role it is for; return what answered."""
    pairs = [(door, user) for door in doors(observed) for user in USERS[door.sort]]
    stack = run.loaded.stack
    secrets = sorted({names.secret(stack, user) for _, user in pairs})
    by_name = dict(passwords(run.site, secrets))
    work = {
        f"{door.name} {user}": partial(_prove, run, door, user, by_name[names.secret(stack, user)])
        for door, user in pairs
    }
    proven = gather(work, workers=run.settings.parallel)
    return [proven[name] for name in work]


def replica_logins(
    run: Run, observed: Observed, *, application: str = "haven migrate"
) -> dict[str, Login]:
    """Return the readers' login on each replica that was seen, by its name."""
    replicas = [door for door in doors(observed) if door.sort is Sort.REPLICA]
    if not replicas:
        return {}
    secret = names.secret(run.loaded.stack, READER)
    password = dict(passwords(run.site, [secret])).get(secret, "")
    return {door.name: login_at(run, door, READER, password, application) for door in replicas}


def doors(observed: Observed) -> list[Door]:
    """Return every endpoint that leads to the database: instances, and proxies with a target."""
    found: list[Door] = []
    for item in observed.values():
        resource = item.resource
        if isinstance(resource, Instance) and "host" in item.outputs:
            sort = Sort.REPLICA if resource.is_replica else Sort.WRITER
            found.append(_door(resource.name, item, sort))
        if isinstance(resource, ProxyTarget):
            proxy = observed[f"proxy/{resource.region}/{resource.name}"]
            found.append(_door(resource.name, proxy, Sort.PROXY))
    return sorted(found, key=lambda door: door.name)


def _door(name: str, found: Found[Resource], sort: Sort) -> Door:
    return Door(name, found.outputs["host"], int(found.outputs.get("port", "5432")), sort)


def login_at(run: Run, door: Door, user: str, password: str, application: str) -> Login:
    """Return a login through an endpoint."""
    return Login(
        host=door.host,
        port=door.port,
        database=run.loaded.stack.database.name,
        user=user,
        password=password,
        ca_bundle=run.site.cloud.ca_bundle,
        application=application,
        writable=door.sort is not Sort.REPLICA,
        answer_limit=run.settings.request_timeout,
    )


def _prove(run: Run, door: Door, user: str, password: str) -> Endpoint:
    login = login_at(run, door, user, password, "haven provision")
    answer = probe_login(login, run.settings.interval)
    return Endpoint(
        name=door.name,
        address=f"{door.host}:{door.port}",
        user=user,
        in_recovery=answer.in_recovery,
        server_version=answer.server_version,
    )
