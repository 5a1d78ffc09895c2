"""Evidence: what a run did, as a JSON record chained by hash to the one before. Pure.

Records live under sequence-numbered keys, each written only if absent, so the chain cannot
fork. Each record names the SHA-256 of the one before, so none can be lost or altered unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PREFIX = "evidence/"
# Either side has a chain of its own: what is copied from the other side cannot take its numbers.
RECOVERY_PREFIX = "evidence-dr/"
DIGITS = 8
FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record ready to be written: its key, its exact bytes and their SHA-256."""

    key: str
    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the last run of an operation ended, when, and the key of its record."""

    outcome: str
    finished: str
    key: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: the last record's number and digest, and each operation's last run."""

    sequence: int = 0
    digest: str = FIRST
    last: Mapping[str, LastRun] = field(default_factory=dict)


def followed(head: Head, sealed: Sealed) -> Head:
    """Return the end of a chain after one more record."""
    record = json.loads(sealed.body)
    run = LastRun(record.get("outcome", ""), record.get("finished", ""), sealed.key)
    last = {**head.last, record.get("operation", ""): run}
    return Head(sequence_of(sealed.key), sealed.digest, last)


def key_of(sequence: int, prefix: str = PREFIX) -> str:
    """Return the object key of the record with this number, counted from 1."""
    return f"{prefix}{sequence:0{DIGITS}d}.json"


def sequence_of(key: str) -> int:
    """Return the number in a record's key."""
    return int(key.rsplit("/", 1)[-1].removesuffix(".json"))


def digest_of(body: bytes) -> str:
    """Return the SHA-256 of a record's bytes in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def seal(record: Mapping[str, Any], sequence: int, previous: str, prefix: str = PREFIX) -> Sealed:
    """Number a record, chain it to the digest before, and fix its bytes."""
    whole = dict(record) | {"sequence": sequence, "previous": previous}
    body = json.dumps(whole, sort_keys=True, indent=1, default=str).encode()
    return Sealed(key_of(sequence, prefix), body, digest_of(body))


def broken_links(bodies: Sequence[bytes]) -> list[str]:
    """Check a whole chain from its first record; return each break as a sentence."""
    breaks = []
    previous = FIRST
    for sequence, body in enumerate(bodies, start=1):
        record = json.loads(body)
        if record.get("sequence") != sequence:
            breaks.append(f"record {sequence} says it is {record.get('sequence')}")
        if record.get("previous") != previous:
            breaks.append(f"record {sequence} does not follow the one before it")
        previous = digest_of(body)
    return breaks


def markdown(record: Mapping[str, Any]) -> str:
    """Write the readable form of a record, from the record alone."""
    span = f"{record['started']} to {record['finished']}"
    lines = [f"# {record['operation']}: {record['outcome']}", ""]
    lines += [f"Stack **{record['stack']}**, {span}, by {record['who']}.", ""]
    lines += _table(("what", "figure"), record.get("figures", {}).items())
    lines += [f"- {change}" for change in record.get("changes", ())]
    if record.get("error"):
        lines += ["", f"> {record['error']}"]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    body = [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    if not body:
        return []
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body, ""]
