"""RDS: the instance that a rehearsal makes for itself, and removes."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.errors import Failed, Unavailable
from haven.pg import Login
from haven.stack.instance import Instance
from tasks.instance_waits import SERVING, wait_status
from tasks.instances import EXISTS, create_primary, read_instance
from tasks.kinds import changes
from tasks.site import Site


@changes
def make_scratch(site: Site, instance: Instance, master: Login) -> Login:
    """Make an instance with the password of a master's login; return the login to where it is.

    Whoever calls this has made sure that there was none: one that is there by now is our own, whose
    creation went unanswered. Raises ``Unavailable`` when RDS cannot make it.
    """
    rds = site.client("rds", instance)
    try:
        create_primary(site, rds, instance, master.password)
    except ClientError as error:
        if not is_code(error, *EXISTS):
            raise
    try:
        item = wait_status(site, instance.region, instance.name, SERVING)
    except Failed as error:
        raise Unavailable(
            f"There is no instance to rehearse on. {error.what}",
            left="The stack was not touched.",
            cure="Look at the instance's events, then run the same command again.",
        ) from None
    outputs = read_instance(instance, item).outputs
    return replace(master, host=outputs["host"], port=int(outputs["port"]))
