"""Manifests: what a database held at one moment, to hold restored copies against later.

A manifest is one JSON document, written last of all that belongs to it. Beside it lie the catalogue
and, of each relation, its rows as hashes, bucket by bucket.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from haven.verification.fingerprint import FORM, Fingerprint, Span, Sum

PREFIX = "manifests/"
NAME = "manifest.json"
CATALOGUE = "catalogue.json"


class Part(BaseModel):
    """A part of a manifest, or the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Stored(Part):
    """An object in the evidence bucket, and the SHA-256 of its bytes."""

    key: str
    sha256: str
    size: int


class Beat(Part):
    """The heartbeat as the snapshot saw it."""

    at: datetime
    beats: int
    epoch: int
    instance: str


class Held(Part):
    """What a relation held, of buckets from ``first`` to ``last``.

    ``count`` and ``total`` are its fingerprint, ``rows`` the object with its rows, ``snapshot`` and
    ``read_at`` the snapshot in which it was read: an earlier one of a partition that is closed.
    """

    relation: str
    family: str
    first: int
    last: int
    count: int
    total: int
    rows: Stored | None
    losing: bool = False
    size: int = 0
    snapshot: str
    read_at: datetime

    @property
    def span(self) -> Span:
        """Its buckets."""
        return Span(self.first, self.last)

    @property
    def sum(self) -> Sum:
        """Its fingerprint."""
        return Sum(self.count, self.total)


class Manifest(Part):
    """What a database held at one moment: ``taken_at``, by the clock of the server that was read.

    ``ledger`` are the migrations, newest last: number, name, checksum and chained checksum.
    ``left`` names relations that were not read, each with the reason.
    """

    form: int = FORM
    stack: str
    instance: str
    resource_id: str
    on_replica: bool
    taken_at: datetime
    snapshot: str
    lsn: str
    beat: Beat | None
    ledger: tuple[tuple[int, str, str, str], ...]
    catalogue: Stored
    catalogue_digest: str
    held: tuple[Held, ...]
    left: dict[str, str] = Field(default_factory=dict)
    tool_version: str

    @property
    def rows(self) -> int:
        """How many rows it knows of."""
        return sum(one.count for one in self.held)


def held(
    found: Fingerprint,
    rows: Stored | None,
    *,
    losing: bool,
    size: int,
    snapshot: str,
    read_at: datetime,
) -> Held:
    """Write a fingerprint as manifests keep it."""
    return Held(
        relation=found.relation,
        family=found.family,
        first=found.span.first,
        last=found.span.last,
        count=found.total.count,
        total=found.total.total,
        rows=rows,
        losing=losing,
        size=size,
        snapshot=snapshot,
        read_at=read_at,
    )


def folder(taken_at: datetime, mark: str) -> str:
    """Return where a manifest and what belongs to it lie; by name they are in order of time."""
    return f"{PREFIX}{taken_at:%Y%m%dT%H%M%S.%fZ}-{mark}/"


def moment(key: str) -> datetime:
    """Return when a manifest was taken, by its key or its folder."""
    stamp = key.removeprefix(PREFIX).partition("-")[0]
    return datetime.strptime(f"{stamp}+0000", "%Y%m%dT%H%M%S.%fZ%z")


def newest_first(folders: Iterable[str], until: datetime) -> list[str]:
    """Return the folders of manifests that were taken before a moment, the newest first."""
    return sorted((folder for folder in folders if moment(folder) <= until), reverse=True)


def body_of(manifest: Manifest) -> bytes:
    """Return a manifest's bytes."""
    return manifest.model_dump_json(indent=None).encode()


def read(body: bytes) -> Manifest:
    """Read a manifest's bytes. Raises ``ValueError`` for what is none."""
    return Manifest.model_validate_json(body)


def catalogue_body(catalogue: Mapping[tuple[str, str], str]) -> bytes:
    """Return a catalogue's bytes."""
    rows = [[kind, identity, definition] for (kind, identity), definition in catalogue.items()]
    return json.dumps(sorted(rows)).encode()


def read_catalogue(body: bytes) -> dict[tuple[str, str], str]:
    """Read a catalogue's bytes."""
    rows: list[list[Any]] = json.loads(body)
    return {(kind, identity): definition for kind, identity, definition in rows}


def sha256(body: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
