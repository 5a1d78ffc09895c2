"""Proof that what is about to go is kept elsewhere: an export that was read back, and what it held.

Proofs lie in the evidence bucket under its lock, one for each thing that may go, and are written by
whoever has loaded an export back and compared it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from haven.verification.fingerprint import FORM, Sum
from haven.verification.manifest import Part

PREFIX = "proofs/"


class Proof(Part):
    """An export of ``subject``, as it was after it had been loaded back.

    ``subject`` is the address of a snapshot or the name of a relation with its schema. ``count`` and
    ``total`` are the fingerprint of what was loaded back, ``as_text`` the columns that went into it as
    text though they have a hash, and ``manifest`` the export's manifest by its bucket, key and SHA-256.
    """

    form: int = FORM
    subject: str
    count: int
    total: int
    as_text: tuple[str, ...] = ()
    manifest: str
    manifest_sha256: str
    read_back: datetime

    @property
    def key(self) -> str:
        """Where it lies."""
        return f"{PREFIX}{self.subject}/{self.read_back:%Y%m%dT%H%M%S.%fZ}.json"

    @property
    def sum(self) -> Sum:
        """The fingerprint of what was loaded back."""
        return Sum(self.count, self.total)


Proofs = Mapping[str, Proof]  # by subject, the newest of each


def why_not_drop(subject: str, closed: datetime, held: Sum, proof: Proof | None) -> list[str]:
    """Return every reason why rows must not go; none where exactly they are proven elsewhere.

    ``closed`` is when the last of them was written at the latest, ``held`` their fingerprint now.
    """
    if proof is None:
        return ["no export of it was loaded back"]
    reasons = {
        f"the proof is of {proof.subject}": proof.subject == subject,
        f"the proof hashes in form {proof.form}, not {FORM}": proof.form == FORM,
        f"it holds {held.count:,} rows, and the export {proof.count:,}": proof.count == held.count,
        "its rows are not those of the export": proof.sum == held,
        "the export was loaded back before its last row was written": proof.read_back >= closed,
        "the proof names no manifest": bool(proof.manifest and proof.manifest_sha256),
    }
    return [reason for reason, fine in reasons.items() if not fine]
