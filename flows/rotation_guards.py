"""What a rotation looks at before it touches anything: secrets, instances, proxies, roles."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flows.endpoints import MASTER, Observed, writer
from flows.rotation_steps import Scene
from haven.credentials.check import Credential
from haven.credentials.rotation import refuse_other_rotators, stale_pending
from haven.errors import Conflict, InvalidRequest, Unavailable
from haven.stack import names
from haven.stack.database import ROLES, database_changes
from haven.stack.instance import Instance
from haven.stack.proxy import ProxyTarget
from haven.stack.resource import Found, Resource
from tasks.bootstrap import look_at_database
from tasks.instance_waits import SERVING
from tasks.proxies import target_state
from tasks.rotation import refuse_managed_master

MOST_TOLD = 5


def guard_secrets(scene: Scene, logins: Collection[str]) -> None:
    """Refuse secrets that are missing, unusable, or in somebody else's hands."""
    stack, known = scene.run.loaded.stack, scene.credentials
    missing = sorted({MASTER, *logins} - known.keys())
    if missing:
        raise InvalidRequest(
            f"Secrets of {stack.prefix} are missing: {', '.join(missing)}.",
            left="Nothing was touched.",
            cure="Run provision, which makes them.",
        )
    wanted = [known[login] for login in sorted({MASTER, *logins})]
    _refuse_unusable(wanted)
    refuse_other_rotators(wanted)
    for item in wanted:
        stale_pending(item)


def _refuse_unusable(wanted: Sequence[Credential]) -> None:
    for item in wanted:
        if item.deleted is not None:
            raise Conflict(
                f"The secret {item.secret} is scheduled for deletion since "
                f"{item.deleted:%Y-%m-%d}.",
                left="Nothing was touched.",
                cure="Restore it with RestoreSecret.",
            )
        if item.wrong:
            raise InvalidRequest(
                f"The secret {item.secret} cannot be rotated: {item.wrong}.",
                left="Nothing was touched.",
                cure="Run provision, which puts right all but the password; else put its previous "
                "version back.",
            )


def without_absent(observed: Observed) -> tuple[dict[str, Found[Resource]], list[str]]:
    """Leave out replicas that are not at their work, and say which: an emergency cannot wait."""
    absent = {
        address: found.resource
        for address, found in observed.items()
        if isinstance(found.resource, Instance)
        and found.resource.is_replica
        and found.resource.status not in SERVING
    }
    said = [
        f"{item.name} is {item.status}: nothing was proven there, and no session ended"
        for item in absent.values()
    ]
    return {key: found for key, found in observed.items() if key not in absent}, said


def guard_servers(scene: Scene, observed: Observed, logins: Collection[str]) -> None:
    """Refuse while an instance or a proxy is not at its work, or RDS manages the master."""
    stack = scene.run.loaded.stack
    instances = [it.resource for it in observed.values() if isinstance(it.resource, Instance)]
    away = [f"{item.name} is {item.status}" for item in instances if item.status not in SERVING]
    if set(names.PROXY_ROLES) & set(logins):
        away += _proxies(scene, observed)
    if away:
        raise Unavailable(
            f"The stack {stack.prefix} is not ready for a rotation: {', '.join(away)}.",
            left="Nothing was touched.",
            cure="Run the same command again when it is.",
        )
    if MASTER in logins:
        name = writer(scene.run, observed).resource.name
        refuse_managed_master(scene.run.site, stack.region, name)


def _proxies(scene: Scene, observed: Observed) -> list[str]:
    targets = [it.resource for it in observed.values() if isinstance(it.resource, ProxyTarget)]
    if not targets:
        return ["no proxy has a target"]
    states = {item: target_state(scene.run.site, item) for item in targets}
    return [
        f"the target of {item.name} is {state}"
        for item, state in states.items()
        if state != "AVAILABLE"
    ]


def guard_roles(scene: Scene, logins: Collection[str]) -> None:
    """Refuse where a role, or a group it is in, is not as the stack has it."""
    members = [role for role in ROLES if role.name in logins]
    subjects = {f"role/{name}" for role in members for name in (role.name, *role.member_of)}
    wrong = [
        change.sentence()
        for change in database_changes(look_at_database(scene.master))
        if change.subject in subjects
    ]
    if wrong:
        raise Conflict(
            f"The roles are not as they must be: {'; '.join(wrong[:MOST_TOLD])}.",
            left="Nothing was touched.",
            cure="Run provision, which puts them right.",
        )
