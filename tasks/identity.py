"""STS: who we are, and whether this is the account that the stack lives in."""

from __future__ import annotations

from haven.errors import Refused
from tasks.kinds import looks
from tasks.site import Site


@looks
def check_identity(site: Site, region: str) -> str:
    """Ask a region for the caller's ARN. Raises ``Refused`` when it is in another account."""
    stack = site.stack
    answer = site.cloud.client("sts", region, retries=False).get_caller_identity()
    if answer["Account"] != stack.account:
        raise Refused(
            f"These credentials are of account {answer['Account']}, but the stack "
            f"'{stack.prefix}' lives in account {stack.account}.",
            left="Nothing was touched.",
            cure="Log in to the right account, or mend 'account' in the stack file.",
        )
    return str(answer["Arn"])
