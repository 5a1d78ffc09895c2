"""Where a stack's writer answers, and logins on it."""

from __future__ import annotations

from haven.errors import InvalidRequest, Unavailable
from haven.pg import Login
from haven.stack import names
from tasks.instances import find_endpoint
from tasks.secrets import passwords
from tasks.site import Site


def writer_login(
    site: Site, user: str, *, application: str, endpoint: tuple[str, int] | None = None
) -> Login:
    """Return a login on the primary's own endpoint, never through the proxy.

    ``user`` is a login role, or the master's user name; the endpoint is looked up unless the
    caller has just observed it. Raises ``Unavailable`` while there is
    no primary, ``InvalidRequest`` while the role has no secret.
    """
    stack = site.stack
    name = names.primary(stack)
    endpoint = endpoint or find_endpoint(site, stack.region, name)
    if endpoint is None:
        raise Unavailable(
            f"The stack '{stack.prefix}' has no primary '{name}' that answers.",
            left="Nothing was touched.",
            cure="Run 'haven run provision' first.",
        )
    secret = names.secret(stack, "master" if user == stack.database.master_username else user)
    password = dict(passwords(site, [secret])).get(secret)
    if password is None:
        raise InvalidRequest(
            f"The secret {secret} does not exist or holds no password.",
            left="Nothing was touched.",
            cure="Run 'haven run provision', which makes it.",
        )
    host, port = endpoint
    return Login(
        host=host,
        port=port,
        database=stack.database.name,
        user=user,
        password=password,
        ca_bundle=site.cloud.ca_bundle,
        application=application,
    )
