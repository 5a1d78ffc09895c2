"""Inside the database: roles, extensions and grants as wanted, and passwords that work."""

from __future__ import annotations

import dataclasses
from functools import partial

from pydantic import BaseModel, Field

from flows.endpoints import writer_login
from flows.frame import Run
from flows.graph import gather
from haven.pg import Login
from haven.stack import names
from tasks.bootstrap import converge_roles, repair_password
from tasks.probes import check_login
from tasks.secrets import passwords

APPLICATION = "haven provision"


class DatabaseReport(BaseModel):
    """What differed inside the database and was put right."""

    changes: list[str] = Field(default_factory=list)


def converge_database(run: Run, endpoint: tuple[str, int]) -> DatabaseReport:
    """Make roles, extensions and grants as wanted, and give each role its secret's password.

    ``endpoint`` is host and port of the primary.
    """
    stack = run.loaded.stack
    user = stack.database.master_username
    master = writer_login(run.site, user, application=APPLICATION, endpoint=endpoint)
    secrets = {names.secret(stack, role): role for role in names.LOGIN_ROLES}
    known = {secrets[name]: password for name, password in passwords(run.site, list(secrets))}
    changes = converge_roles(master, known.__getitem__)
    return DatabaseReport(changes=changes + _repaired(run, master, known))


def _repaired(run: Run, master: Login, known: dict[str, str]) -> list[str]:
    """Try each role's secret on the primary; where it is refused, the role gets it again."""
    logins = {
        role: dataclasses.replace(master, user=role, password=password)
        for role, password in known.items()
    }
    work = {role: partial(check_login, login) for role, login in logins.items()}
    answers = gather(work, workers=run.settings.parallel)
    refused = [role for role, refusal in answers.items() if refusal is not None]
    for role in refused:
        repair_password(master, role, known[role])
    return [f"role {role}, password: the login with its secret was refused" for role in refused]
