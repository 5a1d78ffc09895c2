"""Questions to KMS and IAM: which key, in which state; which role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from localcloud.rds import faults

if TYPE_CHECKING:
    from localcloud.rds.backend import Home


def key_arn(home: Home, given: str | None) -> str:
    """Return the ARN of a key that can be used, given as id, ARN or alias.

    Without one it is the account's AWS managed key for RDS. Raises ``KMSKeyNotAccessibleFault``
    for a key that does not exist, is in another region or is not enabled.
    """
    name = given or "alias/aws/rds"
    parts = name.split(":")
    if name.startswith("arn:") and parts[3] != home.region_name:
        raise _inaccessible(name)
    plain = parts[-1].removeprefix("key/")
    backend = kms_backends[home.account_id][home.region_name]
    try:
        key = backend.describe_key(plain)
    except (AttributeError, KeyError, ValueError) as error:  # moto: an alias of nothing
        raise _inaccessible(name) from error
    if key.key_state != "Enabled":
        raise _inaccessible(name)
    return str(key.arn)


def _inaccessible(name: str) -> faults.Fault:
    return faults.Fault(
        "KMSKeyNotAccessibleFault",
        f"The specified KMS key [{name}] does not exist, is not enabled or you do not have "
        "permissions to access it.",
    )


def require_role(home: Home, arn: str, principal: str) -> None:
    """Raise the fault when a role does not exist or does not trust ``principal``."""
    found = _role(home, arn)
    if found is not None and principal in str(found.assume_role_policy_document):
        return
    raise faults.invalid_value(
        f"The role {arn} does not exist or {principal} is not authorized to assume it."
    )


def has_role(home: Home, arn: str) -> bool:
    """Tell whether there is a role."""
    return _role(home, arn) is not None


def _role(home: Home, arn: str) -> Any:
    roles = iam_backends[home.account_id][home.partition].roles.values()
    return next((role for role in roles if role.arn == arn), None)
