"""Holding an old primary against the new one: which rows the new one lacks, by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from haven.aws import is_code
from haven.pg import Connection, Login, session
from haven.promotion.parting import Fate, Parted, differs, part, part_at_rest
from haven.stack import names
from haven.stack.layout import Member
from haven.verification.fingerprint import Relation, Span, Standing
from haven.verification.horizon import Horizon, horizon
from tasks import fingerprints
from tasks.kinds import changes, looks
from tasks.site import Site

# Tables of Haven's own go on beating and counting on either side.
OURS = "haven_ops"
ROWS_AT_ONCE = 100_000
FOREVER = datetime.max.replace(tzinfo=UTC)
# Before all transactions that write rows: everything came after it.
FIRST = "3:3:"


@dataclass(frozen=True, slots=True)
class Lacking:
    """The rows of one relation that the new primary lacks: their keys, by what became of them."""

    relation: str
    columns: tuple[str, ...]
    keys: Mapping[Fate, list[Any]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows."""
        return sum(len(found) for found in self.keys.values())


@looks
def find_lacking(old: Login, new: Login, snapshot: str | None) -> list[Lacking]:
    """Return every row that an old primary wrote after ``snapshot`` and the new one lacks.

    ``snapshot`` is what the new one showed when it was promoted; without one, nobody has written
    there since, and all that differs is told. Both logins have to see every row.
    """
    border = _Border(horizon(snapshot or FIRST, FOREVER), still=snapshot is None)
    with ExitStack() as stack:
        there, here = (
            stack.enter_context(session(replace(login, answer_limit=None))) for login in (old, new)
        )
        for connection in (there, here):
            fingerprints.begin(connection)
        known = {item.identity: item for item in fingerprints.read_relations(here)}
        found = [
            _lacking(there, item, here, known.get(item.identity), border)
            for item in fingerprints.read_relations(there)
            if item.schema != OURS and item.logged and item.readable
        ]
    return [item for item in found if item.count]


@dataclass(frozen=True, slots=True)
class _Border:
    """What divides the rows; ``still`` says that the new side has not been written to since."""

    horizon: Horizon
    still: bool


def _lacking(
    there: Connection,
    relation: Relation,
    here: Connection,
    counterpart: Relation | None,
    border: _Border,
) -> Lacking:
    """Compare one relation, each side by the columns it has; one that the new side lacks is empty there."""
    line = border.horizon
    old = fingerprints.read_buckets(there, relation, Span(), line)
    new = fingerprints.read_buckets(here, counterpart, Span(), line) if counterpart else {}
    parted = Parted()
    for buckets in _portions(old, new, still=border.still):
        rows = fingerprints.read_rows(here, counterpart, buckets, line) if counterpart else iter(())
        sort = part_at_rest if border.still else part
        parted.add(sort(fingerprints.read_rows(there, relation, buckets, line), rows))
    columns = tuple(column.name for column in relation.key_columns)
    keys = {
        fate: _texts(here, counterpart, hashes)
        if fate is Fate.DELETION_LOST and counterpart
        else _texts(there, relation, hashes)
        for fate, hashes in parted.keys.items()
        if hashes
    }
    return Lacking(relation.identity, columns, keys)


def _portions(
    old: Mapping[int, Standing], new: Mapping[int, Standing], *, still: bool
) -> Iterator[list[int]]:
    """Yield the buckets that differ, as many at a time as fit into memory."""
    portion: list[int] = []
    rows = 0
    for bucket in sorted(old.keys() | new.keys()):
        there, here = old.get(bucket, Standing()), new.get(bucket, Standing())
        if not differs(there, here, still=still):
            continue
        portion.append(bucket)
        rows += there.rows + here.rows
        if rows >= ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
    if portion:
        yield portion


def _texts(connection: Connection, relation: Relation, hashes: Sequence[int]) -> list[Any]:
    wanted = set(hashes)
    keys = fingerprints.read_keys(connection, relation, hashes)
    return sorted((values for key, values in keys if key in wanted), key=str)


@changes
def keep_horizon(site: Site, member: Member, epoch: int, snapshot: str) -> None:
    """Keep what a replica shows before it is promoted to an epoch, for a run that goes on after it."""
    bucket, key = _horizon_object(site, member, epoch)
    site.cloud.client("s3", member.region).put_object(
        Bucket=bucket, Key=key, Body=snapshot.encode()
    )


@looks
def kept_horizon(site: Site, member: Member, epoch: int) -> str | None:
    """Return what was kept before an instance was promoted to an epoch, if it was."""
    bucket, key = _horizon_object(site, member, epoch)
    try:
        answer = site.cloud.client("s3", member.region).get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_code(error, "NoSuchKey"):
            return None
        raise
    return str(answer["Body"].read().decode())


def _horizon_object(site: Site, member: Member, epoch: int) -> tuple[str, str]:
    """On the side of the instance itself: whatever else is lost, that is there."""
    far = member.region != site.stack.region
    return names.bucket(site.stack, "state", recovery=far), f"promotions/epoch-{epoch}-horizon"


@changes
def write_lacking(site: Site, epoch: int, found: Sequence[Lacking]) -> str:
    """Keep the keys, which may tell of patients, encrypted beside the backups; return where."""
    stack = site.stack
    key = f"promotions/epoch-{epoch}-lacking.json"
    body = {
        item.relation: {"key": item.columns} | {str(fate): keys for fate, keys in item.keys.items()}
        for item in found
    }
    bucket = names.bucket(stack, "backups")
    site.cloud.client("s3", stack.region).put_object(
        Bucket=bucket, Key=key, Body=json.dumps(body, indent=1, default=str).encode()
    )
    return f"s3://{bucket}/{key}"
