"""Taking a manifest: a database read in one snapshot, and written into the evidence bucket.

The document comes last: what lies beside none belongs to a run that was cut off, and counts for nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace

from psycopg import sql

from haven.migrations.catalogue import Catalogue, digest_of
from haven.pg import Connection, Login, session
from haven.sql import QUERIES
from haven.stack import names
from haven.verification import manifest
from haven.verification.fingerprint import FORM, Relation
from haven.verification.manifest import Beat, Held, Manifest, Stored
from haven.verification.rows import NEVER
from haven.verification.share import Share, Unit, may_be_closed
from tasks import fingerprints
from tasks.catalogue import read_live
from tasks.evidence import put_once
from tasks.fingerprints import Snapshot
from tasks.heartbeat import read_beat
from tasks.kinds import changes, looks
from tasks.site import Site

# One for each of the two cores that a small worker has.
WORKERS = 2
LOCK_TIMEOUT = 5.0
# By name of the table: the query that says from when on a row of it may be gone.
LOSING = {"haven_health.sync_queue": "verify_may_go"}
DAY = 86400


@dataclass(frozen=True, slots=True)
class Source:
    """The server that is read: a login that sees every row, and which instance it leads to."""

    login: Login
    instance: str
    resource_id: str
    tool_version: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A manifest that was written, and its object."""

    manifest: Manifest
    stored: Stored


@looks
def look_at_relations(source: Source, form: int = FORM) -> tuple[list[Relation], Snapshot]:
    """Return what there is to read, to be hashed in a form, and a snapshot that is over again."""
    with session(_patient(source.login)) as connection:
        snapshot = fingerprints.begin(connection)
        return fingerprints.read_relations(connection, form), snapshot


@changes
def take_manifest(site: Site, source: Source, share: Share, earlier: Manifest | None) -> Taken:
    """Read what a share names, in one snapshot, and write it down.

    What an earlier manifest knows of a closed partition is taken over, once it is seen that nothing
    was written since.
    """
    with session(_patient(source.login)) as connection:
        snapshot = fingerprints.begin(connection)
        place = manifest.folder(snapshot.moment, secrets.token_hex(4))
        work = _Work(site, source, snapshot, place, share, earlier)
        held = _read_all(work)
        catalogue = read_whole_catalogue(connection)
        body = manifest.catalogue_body(catalogue)
        beat = read_beat(connection, site.stack.prefix)
        found = Manifest(
            stack=site.stack.prefix,
            instance=source.instance,
            resource_id=source.resource_id,
            on_replica=snapshot.on_replica,
            taken_at=snapshot.moment,
            snapshot=snapshot.text,
            lsn=snapshot.lsn,
            beat=Beat(at=beat.beat_at, beats=beat.beats, epoch=beat.epoch, instance=beat.instance)
            if beat
            else None,
            ledger=tuple(read_ledger(connection)),
            catalogue=_put(work, manifest.CATALOGUE, body),
            catalogue_digest=digest_of(catalogue),
            form=_form(share),
            held=tuple(sorted(held, key=lambda one: (one.relation, one.first))),
            left=dict(share.left),
            tool_version=source.tool_version,
        )
    return Taken(found, _put(work, manifest.NAME, manifest.body_of(found)))


def _form(share: Share) -> int:
    return next((unit.relation.form for unit in share.units), FORM)


def read_whole_catalogue(connection: Connection) -> Catalogue:
    """Return all that migrations own, and extensions, roles and settings besides."""
    rows = connection.execute(QUERIES["verify_surroundings"])
    found = {(kind, identity): definition for kind, identity, definition in rows}
    return found | dict(read_live(connection, LOCK_TIMEOUT))


def read_ledger(connection: Connection) -> list[tuple[int, str, str, str]]:
    """Return the migrations that a database has; none where there is no ledger to be read."""
    (readable,) = connection.execute(QUERIES["verify_has_ledger"]).fetchone() or (False,)
    if not readable:
        return []
    return [
        (number, name, checksum, chained)
        for number, name, checksum, chained in connection.execute(QUERIES["verify_ledger"])
    ]


def may_go(relation: Relation, seconds: int) -> sql.Composed | None:
    """Return from when on a row of a relation may be gone, where there is a rule for it."""
    name = LOSING.get(relation.family)
    if name is None:
        return None
    return sql.SQL(QUERIES[name]).format(seconds=sql.Literal(seconds), never=sql.Literal(NEVER))


@dataclass(frozen=True, slots=True)
class _Work:
    site: Site
    source: Source
    snapshot: Snapshot
    place: str
    share: Share
    earlier: Manifest | None

    @property
    def losing_after(self) -> int:
        """Seconds after which a completed item may be gone."""
        return self.site.stack.verification.completed_sync_days * DAY


def _read_all(work: _Work) -> list[Held]:
    parts = _dealt(work.share.units)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="fingerprints") as pool:
        jobs = [pool.submit(copy_context().run, _read_part, work, part) for part in parts]
        return [one for job in jobs for one in job.result()]


def _dealt(units: Sequence[Unit]) -> list[list[Unit]]:
    """Deal units out so that each worker has about as much, the largest first."""
    parts: list[list[Unit]] = [[] for _ in range(WORKERS)]
    sizes = [0.0] * WORKERS
    for unit in sorted(units, key=lambda one: -one.bytes):
        least = sizes.index(min(sizes))
        parts[least].append(unit)
        sizes[least] += unit.bytes
    return [part for part in parts if part]


def _read_part(work: _Work, units: Sequence[Unit]) -> list[Held]:
    with session(_patient(work.source.login)) as connection:
        fingerprints.join(connection, work.snapshot.exported)
        return [_read(work, connection, unit) for unit in units]


def _read(work: _Work, connection: Connection, unit: Unit) -> Held:
    return _closed(work, connection, unit) or _read_anew(work, connection, unit)


def _closed(work: _Work, connection: Connection, unit: Unit) -> Held | None:
    """Return what is known of a unit that nobody wrote to since; nothing if somebody may have.

    Where as many rows are there as were, and none is of a transaction that was not over then, they
    are the same rows.
    """
    earlier = work.earlier
    known = may_be_closed(unit, earlier)
    if known is None or earlier is None or earlier.form != unit.relation.form:
        return None
    count, age = fingerprints.read_newest(connection, unit.relation)
    before = fingerprints.horizon_age(connection, known.snapshot)
    return known if count == known.count and age > before else None


def _read_anew(work: _Work, connection: Connection, unit: Unit) -> Held:
    relation, span = unit.relation, unit.span
    found = fingerprints.read_sum(connection, relation, span)
    rule = may_go(relation, work.losing_after)
    name = f"{relation.identity}-{span.first:04}.rows"
    stored = None
    if found.total.count:
        stored = _put(work, name, fingerprints.read_packed(connection, relation, span, rule))
    return manifest.held(
        found,
        stored,
        losing=rule is not None,
        size=round(unit.bytes),
        snapshot=work.snapshot.text,
        read_at=work.snapshot.moment,
    )


def _put(work: _Work, name: str, body: bytes) -> Stored:
    stack = work.site.stack
    key = f"{work.place}{_plain(name)}"
    s3 = work.site.cloud.client("s3", stack.region)
    put_once(s3, names.bucket(stack, "evidence"), key, body)
    return Stored(key=key, sha256=manifest.sha256(body), size=len(body))


def _plain(name: str) -> str:
    """Return a name as a key may hold it: any table may be there."""
    return "".join(
        sign if sign.isalnum() or sign in "._-" else f"%{ord(sign):02x}" for sign in name
    )


def _patient(login: Login) -> Login:
    return replace(login, answer_limit=None)
