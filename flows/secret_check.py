"""Holding a stack's credentials against its database: who can log in, with what, since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from pydantic import BaseModel, Field

from flows.endpoints import home_instances, writer_address
from flows.frame import Run
from flows.graph import gather
from haven.credentials.check import Credential, Trial, Trouble, due, findings
from haven.errors import InvalidRequest
from haven.pg import Login
from tasks.credentials import login_roles, observe_credentials
from tasks.probes import Answer, try_login
from tasks.secrets import passwords

APPLICATION = "haven secret-check"


class CredentialStatus(BaseModel):
    """One credential as it is now."""

    secret: str
    role: str
    since: datetime | None = Field(description="When its current version was made.")
    due: datetime | None = Field(description="When it is as old as the stack allows.")
    login: Trial | None = Field(description="How a login with it went; none was tried if not set.")


class SecretFinding(BaseModel):
    """One thing that is wrong with a credential."""

    trouble: Trouble
    subject: str
    text: str
    cure: str
    note: bool = Field(description="Nobody is kept out by it.")


class SecretReport(BaseModel):
    """A stack's credentials, and everything that is wrong with them."""

    stack: str
    credentials: list[CredentialStatus]
    findings: list[SecretFinding]

    @property
    def sound(self) -> bool:
        """Tell whether there are notes at most."""
        return all(item.note for item in self.findings)


def secret_check(run: Run) -> SecretReport:
    """Read the credentials, log in with each, and say what is wrong. Changes nothing."""
    host, port = writer_address(run, home_instances(run))
    stack, now = run.loaded.stack, datetime.now(UTC)
    days = stack.secrets.rotation_days
    run.progress("reading the secrets")
    credentials = observe_credentials(run.site, host)
    logins = _logins(run, credentials, host, port)
    run.progress(f"logging in with {len(logins)} credentials")
    trials = gather(
        {name: partial(_tried, login) for name, login in logins.items()},
        workers=run.settings.parallel,
    )
    roles = _roles(credentials, logins, trials)
    found = findings(credentials, roles, trials, now=now, days=days)
    return SecretReport(
        stack=stack.prefix,
        credentials=statuses(credentials, trials, days),
        findings=[
            SecretFinding(
                trouble=item.trouble,
                subject=item.subject,
                text=item.text,
                cure=item.cure,
                note=item.is_note,
            )
            for item in found
        ],
    )


def statuses(
    credentials: Sequence[Credential], trials: Mapping[str, Trial], days: int
) -> list[CredentialStatus]:
    """Say of each credential since when it is, and until when it may be."""
    return [
        CredentialStatus(
            secret=item.secret,
            role=item.role,
            since=item.since,
            due=due(item, days),
            login=trials.get(item.secret),
        )
        for item in credentials
    ]


def _logins(run: Run, credentials: Sequence[Credential], host: str, port: int) -> dict[str, Login]:
    """Return a login on the writer for each secret whose content is whole."""
    usable = {item.secret: item.role for item in credentials if not (item.wrong or item.deleted)}
    return {
        name: Login(
            host=host,
            port=port,
            database=run.loaded.stack.database.name,
            user=usable[name],
            password=password,
            ca_bundle=run.site.cloud.ca_bundle,
            application=APPLICATION,
            answer_limit=run.settings.request_timeout,
        )
        for name, password in passwords(run.site, sorted(usable))
    }


def _tried(login: Login) -> Trial:
    seen = try_login(login)
    if isinstance(seen, Answer):
        return Trial.WORKS
    return Trial.REFUSED if isinstance(seen, InvalidRequest) else Trial.UNREACHABLE


def _roles(
    credentials: Sequence[Credential], logins: Mapping[str, Login], trials: Mapping[str, Trial]
) -> list[str]:
    """Return who can log in; where nobody could, it is taken to be those whom the secrets are for."""
    for name, trial in sorted(trials.items()):
        if trial is Trial.WORKS:
            return login_roles(logins[name])
    return [item.role for item in credentials]
