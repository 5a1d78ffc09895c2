"""Names and tags of a stack. Everything that can have a name gets it from here."""

from __future__ import annotations

from collections.abc import Collection

from haven.stack.layout import FIRST_EPOCH
from haven.stack.model import Stack

TAG_STACK = "haven:stack"
TAG_ROLE = "haven:role"
TAG_EPOCH = "haven:epoch"
TAG_PROMOTION = "haven:promotion"
TAG_FENCED = "haven:fenced"
TAG_MANAGED_BY = "haven:managed-by"
MANAGED_BY = "haven"

# Logins that have a secret, besides the master (data dictionary: roles).
LOGIN_ROLES = ("haven_migrator", "haven_app_a", "haven_app_b", "haven_reader", "haven_auditor")
PROXY_ROLES = ("haven_app_a", "haven_app_b")
FIRST_WRITER = "haven_app_a"


def tags(stack: Stack, role: str) -> dict[str, str]:
    """Return the tags that mark a resource as ours, in the given role."""
    return {TAG_STACK: stack.prefix, TAG_ROLE: role, TAG_MANAGED_BY: MANAGED_BY}


def bucket(stack: Stack, use: str, *, recovery: bool = False) -> str:
    """Return a bucket name; buckets are global, so it carries the account."""
    there = recovery != stack.layout.swapped
    return f"{stack.prefix}-{use}{'-dr' if there else ''}-{stack.account}"


def first_primary(stack: Stack) -> str:
    """Return the identifier of the primary that the stack began with."""
    return f"{stack.prefix}-primary"


def primary(stack: Stack) -> str:
    """Return the primary's identifier: the first one's, or that of the one promoted last."""
    return stack.layout.primary or first_primary(stack)


def restored_primary(stack: Stack, taken: Collection[str]) -> str:
    """Return the identifier of an earlier moment that is to be the next epoch's primary.

    Those that were not wanted are kept, and have ``taken`` names.
    """
    name = f"{first_primary(stack)}-e{stack.layout.epoch + 1}"
    further = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *further) if one not in taken)


def replica(stack: Stack, number: int) -> str:
    """Return a read replica's identifier, counted from 1.

    Replicas follow a primary for good: those of another epoch have other names.
    """
    return f"{stack.prefix}-replica-{number}{_epoch(stack)}"


def recovery_replica(stack: Stack) -> str:
    """Return the identifier of the replica in the recovery region."""
    return f"{stack.prefix}-dr{_epoch(stack)}"


def _epoch(stack: Stack) -> str:
    epoch = stack.layout.epoch
    return "" if epoch == FIRST_EPOCH else f"-e{epoch}"


def rehearsal(stack: Stack) -> str:
    """Return the identifier of the instance that migrations are rehearsed on."""
    return f"{stack.prefix}-rehearsal"


def secret(stack: Stack, login: str) -> str:
    """Return the name of a login's secret."""
    return f"{stack.project}/{stack.environment}/{login}"


def pointer(stack: Stack) -> str:
    """Return the name of the secret that tells applications which credentials to use."""
    return secret(stack, "writer")


def zone(stack: Stack) -> str:
    """Return the private DNS zone."""
    return f"{stack.environment}.{stack.project}.internal"


def rds_arn(stack: Stack, region: str, kind: str, name: str) -> str:
    """Return the ARN of an RDS resource with a name; ``kind`` as in ARNs (db, pg, subgrp, es)."""
    return f"arn:aws:rds:{region}:{stack.account}:{kind}:{name}"
