"""Where a stack is read without disturbing its writers: a replica of the region, else the primary."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flows.endpoints import Observed, writer, writer_login
from flows.frame import Run
from flows.logins import READER, replica_logins
from haven.pg import Login
from tasks.probes import Answer, try_login


@dataclass(frozen=True, slots=True)
class Reader:
    """A login that sees every row, and the instance that it leads to."""

    login: Login
    instance: str


def reader(run: Run, observed: Observed, *, application: str) -> Reader:
    """Return a reader's login on a replica of the region where one answers, else on the writer."""
    for name, login in replica_logins(run, observed).items():
        named = replace(login, application=application)
        if isinstance(try_login(named), Answer):
            return Reader(named, name)
    name = writer(run, observed).resource.name
    return Reader(writer_login(run, observed, READER, application=application), name)
