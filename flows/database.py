"""The database inside the instance: what only the master can make, and logins that work.

Observe as the master, put right what differs, then try every login with its secret and give
it back its password where the server refuses it.
"""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel, Field

from flows.endpoints import MASTER, Observed, writer_logins, writer_name
from flows.frame import Run
from flows.graph import gather
from haven.errors import InvalidRequest, Unavailable
from haven.pg import Login
from haven.stack.database import LOGINS, database_changes
from tasks.bootstrap import change_database, look_at_database, repair_password
from tasks.master_password import set_master_password
from tasks.probes import Answer, probe_login, try_login


class DatabaseReport(BaseModel):
    """What was put right in the database; no change has a password in it."""

    changes: list[str] = Field(
        default_factory=list, description="Each difference: subject, attribute, found, wanted."
    )


def converge_database(run: Run, observed: Observed) -> DatabaseReport:
    """Bring roles, extensions, grants and passwords to what they must be."""
    logins = writer_logins(run, observed, [MASTER, *LOGINS])
    master = logins.pop(MASTER)
    repaired = _repaired_master(run, observed, master)
    changes = database_changes(look_at_database(master))
    if changes:
        run.progress(f"putting right {len(changes)} facts of the database")
        change_database(master, changes, tuple(logins.values()))
    refused = _refused(run, logins)
    for login in refused:
        run.progress(f"giving {login.user} back its password")
        repair_password(master, login)
    return DatabaseReport(
        changes=[
            *repaired,
            *(change.sentence() for change in changes),
            *(
                f"role/{login.user}: its secret was refused, its password is set again"
                for login in refused
            ),
        ]
    )


def _repaired_master(run: Run, observed: Observed, master: Login) -> list[str]:
    """Where the server refuses the master's secret, RDS sets that password again."""
    if not isinstance(try_login(master), InvalidRequest):
        return []
    run.progress("giving the master back its password")
    stack = run.loaded.stack
    set_master_password(run.site, stack.region, writer_name(run, observed), master)
    probe_login(master, run.settings.interval)
    return [f"role/{master.user}: its secret was refused, its password is set again"]


def _refused(run: Run, logins: dict[str, Login]) -> list[Login]:
    tries = {user: partial(try_login, login) for user, login in logins.items()}
    answers: dict[str, Answer | InvalidRequest | Unavailable] = gather(
        tries, workers=run.settings.parallel
    )
    for answer in answers.values():
        if isinstance(answer, Unavailable):
            raise answer
    return [logins[user] for user, answer in answers.items() if isinstance(answer, InvalidRequest)]
