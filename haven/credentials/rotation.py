"""What a rotation does next, told from version stages, login trials and ages.

A credential is rotated in the four steps of Secrets Manager's own rotation functions: a version is
created, its password set in the database, tested, and made current. Each step can be taken again:
which one is next is read off the secret and the database, so a run that was killed is continued by
the next one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from enum import StrEnum

from haven.credentials.check import CURRENT, PENDING, Credential
from haven.errors import Conflict

NAMESPACE = uuid.UUID("0b0f7d54-3c0e-4d57-8c0e-2f1b5a7f0c6d")


class Step(StrEnum):
    """The steps of a rotation; the names are Secrets Manager's."""

    CREATE = "create"
    SET = "set"
    TEST = "test"
    FINISH = "finish"
    DONE = "done"


def successor(secret: Credential) -> str:
    """Return the identifier of the version that follows the current one.

    It is the same for every run until that version is current, so that a run continues what a
    killed one began. One that was given up, or left again by a rollback, is not used twice.
    """
    current = secret.current
    return next(
        token
        for token in _successors(secret.arn, current.id if current else "")
        if (seen := secret.version(token)) is None or PENDING in seen.stages
    )


def _successors(arn: str, base: str) -> Iterator[str]:
    number = 0
    while True:
        yield str(uuid.uuid5(NAMESPACE, f"{arn}|{base}|{number}"))
        number += 1


def stale_pending(secret: Credential) -> str:
    """Return the pending version that one of our rotations gave up, or nothing.

    It followed a version that is current no more. Raises ``Conflict`` when the pending version is
    not ours: another rotation is at work, or was.
    """
    pending = secret.bearing(PENDING)
    if pending is None or CURRENT in pending.stages or pending.id == successor(secret):
        return ""
    if is_ours(secret, pending.id):
        return pending.id
    raise Conflict(
        f"The secret {secret.secret} has a pending version {pending.id} that is not ours, made "
        f"{pending.created:%Y-%m-%d %H:%M} UTC.",
        left="Nothing was touched.",
        cure="Let the rotation that made it finish, or take the stage AWSPENDING from it.",
    )


def is_ours(secret: Credential, version: str) -> bool:
    """Tell whether a rotation of ours made a version: it follows one that is still known."""
    return any(version in _first(secret, item.id) for item in secret.versions)


def _first(secret: Credential, base: str) -> set[str]:
    """Return as many successors of a version as there can have been."""
    following = _successors(secret.arn, base)
    return {next(following) for _ in secret.versions}


def next_step(secret: Credential, token: str, *, works: bool, tested: bool) -> Step:
    """Return the step that version ``token`` needs next.

    ``works`` tells whether the database lets its password in, ``tested`` whether it was proven to
    do so everywhere in this run.
    """
    seen = secret.version(token)
    if seen is None:
        return Step.CREATE
    if CURRENT in seen.stages:
        return Step.FINISH if PENDING in seen.stages else Step.DONE
    if not works:
        return Step.SET
    return Step.FINISH if tested else Step.TEST


def refuse_other_rotators(credentials: Sequence[Credential]) -> None:
    """Raise ``Conflict`` when something else rotates one of the credentials."""
    others = [f"{item.secret} by {item.rotated_by}" for item in credentials if item.rotated_by]
    if others:
        raise Conflict(
            f"Something else rotates: {', '.join(others)}.",
            left="Nothing was touched.",
            cure="Let one of them rotate: CancelRotateSecret ends that of Secrets Manager.",
        )
