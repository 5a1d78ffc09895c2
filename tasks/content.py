"""Holding the rows of a restored copy against a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from haven.errors import Failed
from haven.pg import Connection, Login, session
from haven.stack import names
from haven.verification.content import Proven
from haven.verification.fingerprint import (
    FORMS,
    NOTHING,
    Relation,
    Span,
    Standing,
    Sum,
    is_proven,
)
from haven.verification.horizon import Horizon, horizon
from haven.verification.manifest import Held, Manifest, sha256
from haven.verification.rows import Tally, compare, sums_of, unpack
from haven.verification.share import unit_name
from tasks import fingerprints
from tasks.kinds import looks
from tasks.manifests import WORKERS
from tasks.site import Site

# Rows that are held in memory at once, from either side.
ROWS_AT_ONCE = 100_000


@looks
def prove_content(site: Site, copy: Login, wanted: Manifest, until: datetime) -> list[Proven]:
    """Hold every relation of a copy that was restored to ``until`` against a manifest.

    Raises ``Failed`` when the manifest was made with another way to hash.
    """
    if wanted.form not in FORMS:
        raise Failed(
            f"The manifest of {wanted.taken_at:%Y-%m-%d %H:%M:%S} has form {wanted.form}, this "
            f"Haven knows {', '.join(str(one) for one in sorted(FORMS))}.",
            left="Nothing was proven.",
            cure="Verify the latest backup, which takes a new manifest.",
        )
    patient = replace(copy, answer_limit=None)
    with session(patient) as connection:
        fingerprints.begin(connection)
        relations = {
            item.identity: item for item in fingerprints.read_relations(connection, wanted.form)
        }
    work = _Work(site, patient, until, relations)
    known = {one.relation for one in wanted.held} | set(wanted.left)
    strange = [
        _Strange(item, wanted.snapshot)
        for item in relations.values()
        if item.identity not in known and item.logged
    ]
    jobs = [
        *(partial(_held, work, one) for one in wanted.held),
        *(partial(_strange, work, one) for one in strange),
    ]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="content") as pool:
        running = [pool.submit(copy_context().run, job) for job in jobs]
        return [job.result() for job in running]


@dataclass(frozen=True, slots=True)
class _Work:
    site: Site
    login: Login
    until: datetime
    relations: dict[str, Relation]

    def horizon(self, snapshot: str) -> Horizon:
        """Return what divides the row versions of the copy."""
        return horizon(snapshot, self.until)


@dataclass(frozen=True, slots=True)
class _Strange:
    """A relation of the copy that the manifest does not know."""

    relation: Relation
    snapshot: str


def _held(work: _Work, wanted: Held) -> Proven:
    unit = unit_name(wanted.relation, wanted.span)
    relation = work.relations.get(wanted.relation)
    problem = _unfit(relation)
    if relation is None or problem:
        return Proven(unit, wanted.relation, problem=problem)
    with session(work.login) as connection:
        fingerprints.begin(connection)
        return Proven(unit, wanted.relation, *_tally(work, connection, relation, wanted))


def _unfit(relation: Relation | None) -> str:
    if relation is None:
        return "is missing from the copy"
    if not relation.logged:
        return "is unlogged in the copy"
    return "" if relation.readable else "may not be read in the copy"


def _tally(
    work: _Work, connection: Connection, relation: Relation, wanted: Held
) -> tuple[Tally, str]:
    """Return what is proven of a relation; only what differs as a whole is looked into."""
    border = work.horizon(wanted.snapshot)
    whole = fingerprints.read_standing(connection, relation, wanted.span, border)
    if is_proven(wanted.sum, whole):
        return Tally(wanted.count, whole.rows - wanted.count), ""
    rows = _rows(work, wanted)
    if rows is None:
        return Tally(), "the rows of its manifest are not what they were when it was taken"
    had = sums_of(unpack(rows, losing=wanted.losing)) if rows else {}
    has = fingerprints.read_buckets(connection, relation, wanted.span, border)
    tally, differ = _by_bucket(had, has)
    for buckets in _portions(differ, had, has):
        known = unpack(rows, losing=wanted.losing, buckets=frozenset(buckets)) if rows else ()
        seen = fingerprints.read_rows(connection, relation, buckets, border)
        tally.add(compare(known, seen, work.until.timestamp()))
    if not relation.key:
        tally.excuse_replaced()
    return tally, ""


def _by_bucket(had: Mapping[int, Sum], has: Mapping[int, Standing]) -> tuple[Tally, list[int]]:
    """Return what whole buckets prove, and the buckets that do not."""
    tally, differ = Tally(), []
    for bucket in sorted(had.keys() | has.keys()):
        known, found = had.get(bucket, NOTHING), has.get(bucket, Standing())
        if is_proven(known, found):
            tally.add(Tally(known.count, found.rows - known.count))
        else:
            differ.append(bucket)
    return tally, differ


def _portions(
    buckets: Sequence[int], had: Mapping[int, Sum], has: Mapping[int, Standing]
) -> Iterator[list[int]]:
    """Divide buckets so that the rows of each portion fit into memory."""
    portion: list[int] = []
    rows = 0
    for bucket in buckets:
        rows += had.get(bucket, NOTHING).count + has.get(bucket, Standing()).rows
        portion.append(bucket)
        if rows >= ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
    if portion:
        yield portion


def _rows(work: _Work, wanted: Held) -> bytes | None:
    """Return the rows that a manifest has of a relation; nothing if they were changed since."""
    if wanted.rows is None:
        return b""
    stack = work.site.stack
    s3: Any = work.site.cloud.client("s3", stack.region)
    answer = s3.get_object(Bucket=names.bucket(stack, "evidence"), Key=wanted.rows.key)
    data: bytes = answer["Body"].read()
    return data if sha256(data) == wanted.rows.sha256 else None


def _strange(work: _Work, found: _Strange) -> Proven:
    """Look whether a relation that no manifest knows has come since: then all its rows have."""
    relation = found.relation
    name = relation.identity
    if not relation.readable:
        return Proven(name, name, problem="may not be read, and the manifest does not know it")
    with session(work.login) as connection:
        fingerprints.begin(connection)
        standing = fingerprints.read_standing(
            connection, relation, Span(), work.horizon(found.snapshot)
        )
    if standing.before.count or standing.later.count:
        return Proven(name, name, problem="has rows that the manifest does not know")
    return Proven(name, name, Tally(written_since=standing.rows))
