"""An empty instance of a stack's own, for as long as a block of code needs it.

There is one at a time, by the stack's lock. One that a killed run left is removed by the next, or by
destroy.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from flows.frame import Record, Run
from flows.observation import observe_stack
from haven.errors import Conflict, HavenError
from haven.pg import Login
from haven.stack import names
from haven.stack.decide import refuse_foreign
from haven.stack.instance import Instance
from haven.stack.rehearsal import GIB, ROLE, scratch
from haven.stack.resource import Found, Resource
from haven.stack.topology import topology
from tasks.instances import delete_instance
from tasks.rehearsal_instance import make_scratch

PASSWORD_BYTES = 24


@contextmanager
def scratch_instance(
    run: Run, record: Record, *, application: str, gib: int = GIB
) -> Iterator[Login]:
    """Hold an instance for a block, and yield its master's login. It is gone afterwards.

    Raises ``Conflict`` when an instance of that name is not the stack's.
    """
    described = scratch(run.loaded.stack, gib)
    needs = [item for item in topology(run.loaded.stack) if item.address in described.needs]
    observed = observe_stack(run, [*needs, described])
    _remove(run, described)
    record.check_lease()
    known = {address: found.outputs for address, found in observed.items()}
    instance = described.resolve(known)
    run.progress(f"making {instance.address}")
    try:
        yield make_scratch(run.site, instance, _master(run, instance, application))
    except BaseException as error:
        _remove_after(run, described, error)
        raise
    _remove(run, described)


def _master(run: Run, instance: Instance, application: str) -> Login:
    return Login(
        host="",
        port=instance.port,
        database=instance.database,
        user=instance.master_username,
        password=passing_password(),
        ca_bundle=run.site.cloud.ca_bundle,
        application=application,
        answer_limit=run.settings.request_timeout,
    )


def _remove_after(run: Run, instance: Instance, error: BaseException) -> None:
    """Remove the instance of a rehearsal that failed, whose error is the one to be told."""
    try:
        _remove(run, instance)
    except HavenError as other:
        error.add_note(f"{instance.address} was not removed: {other}")


def _remove(run: Run, instance: Instance) -> None:
    """Delete the instance where there is one, and wait until it is gone; others' are refused."""
    found = observe_stack(run, [instance]).get(instance.address)
    if found is None or not isinstance(found.resource, Instance):
        return
    refuse_foreign(run.loaded.stack, instance, found)
    _refuse_other_role(instance, found)
    run.progress(f"removing {instance.address}")
    delete_instance(run.site, Found(found.resource, found.arn))


def _refuse_other_role(instance: Instance, found: Found[Resource]) -> None:
    """Raise ``Conflict`` for an instance of the stack that is none of these: it may be kept."""
    role = (found.tags or {}).get(names.TAG_ROLE)
    if role != ROLE:
        raise Conflict(
            f"{instance.address} has the role '{role}' in its tags, not '{ROLE}' ({found.arn}).",
            left="It was not touched.",
            cure="Find out what it is for, and rename or delete it.",
        )


def passing_password() -> str:
    """Make a password that nobody keeps."""
    return secrets.token_urlsafe(PASSWORD_BYTES)
