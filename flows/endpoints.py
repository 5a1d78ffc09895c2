"""Where a stack's database takes writes, and logins to it with the passwords of its secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flows.frame import Run
from haven.errors import Conflict, Unavailable
from haven.pg import Login
from haven.stack import names
from haven.stack.instance import Instance
from haven.stack.resource import Found, Resource
from haven.stack.topology import topology
from tasks.instances import observe_instances
from tasks.secrets import passwords

Observed = Mapping[str, Found[Resource]]
MASTER = "master"
APPLICATION = "haven"


def writer_login(
    run: Run, observed: Observed | None, user: str, *, application: str = APPLICATION
) -> Login:
    """Return the login of one user on the writer; without an observation, it is looked up."""
    return writer_logins(run, observed, [user], application=application)[user]


def writer_logins(
    run: Run, observed: Observed | None, users: Sequence[str], *, application: str = APPLICATION
) -> dict[str, Login]:
    """Return logins on the writer by user; ``master`` stands for the master user."""
    host, port = writer_address(run, observed if observed is not None else home_instances(run))
    stack = run.loaded.stack
    by_name = dict(passwords(run.site, [names.secret(stack, user) for user in users]))
    missing = [user for user in users if names.secret(stack, user) not in by_name]
    if missing:
        raise Unavailable(
            f"Secrets of {stack.prefix} are missing: {', '.join(missing)}.",
            left="Nothing was touched.",
            cure="Run provision, which makes them.",
        )
    return {
        user: Login(
            host=host,
            port=port,
            database=stack.database.name,
            user=stack.database.master_username if user == MASTER else user,
            password=by_name[names.secret(stack, user)],
            ca_bundle=run.site.cloud.ca_bundle,
            application=application,
            answer_limit=run.settings.request_timeout,
        )
        for user in users
    }


def writer_address(run: Run, observed: Observed) -> tuple[str, int]:
    """Return host and port of the one instance that takes writes, whichever it is by now."""
    outputs = writer(run, observed).outputs
    return outputs["host"], int(outputs.get("port", "5432"))


def writer_name(run: Run, observed: Observed) -> str:
    """Return the identifier of the one instance that takes writes."""
    return writer(run, observed).resource.name


def writer(run: Run, observed: Observed) -> Found[Resource]:
    """Return the one instance that takes writes, as it was observed."""
    writers = [
        found
        for found in observed.values()
        if isinstance(found.resource, Instance)
        and not found.resource.is_replica
        and "host" in found.outputs
    ]
    prefix = run.loaded.stack.prefix
    if not writers:
        raise Unavailable(
            f"The stack {prefix} has no primary instance that can be reached.",
            left="Nothing was touched.",
            cure="Run provision, or wait until the instance is available.",
        )
    if len(writers) > 1:
        found_names = ", ".join(sorted(found.resource.name for found in writers))
        raise Conflict(
            f"Several instances of {prefix} take writes: {found_names}.",
            left="Nothing was touched.",
            cure="Decide which is the primary and remove or rename the other.",
        )
    return writers[0]


def home_instances(run: Run) -> Observed:
    """Look at the instances of the home region alone, in one request."""
    stack = run.loaded.stack
    wanted = [
        item
        for item in topology(stack)
        if isinstance(item, Instance) and item.region == stack.region
    ]
    return observe_instances(run.site, stack.region, wanted)
