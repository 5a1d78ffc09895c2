"""S3: writing and deleting in a bucket whose versioning is suspended.

AWS (S3 User Guide, "Adding objects to versioning-suspended buckets" and "Deleting objects from
versioning-suspended buckets"): what is written takes the place of the null version only. With a
version id, that version is deleted; without one, the null version goes and a delete marker with
the id null takes its place. moto takes away every version there is, or fails at a delete marker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from moto.s3.models import FakeDeleteMarker

_NULL = "null"


@contextlib.contextmanager
def kept(bucket: Any, name: str) -> Iterator[None]:
    """Keep the versions of an object while moto writes another, as the null version."""
    found = [item for item in bucket.keys.getlist(name, []) if str(item.version_id) != _NULL]
    if found:
        # Not setlist, which throws away the contents.
        dict.__setitem__(bucket.keys, name, [])
    try:
        yield
    finally:
        if found:
            bucket.keys.setlist(name, [*found, *bucket.keys.getlist(name, [])])


def delete(bucket: Any, name: str, version: str | None) -> dict[str, str]:
    """Delete one version of an object; return what the answer's headers tell."""
    found = list(bucket.keys.getlist(name, []))
    rest = [item for item in found if str(item.version_id) != (version or _NULL)]
    if version is None:
        if not found:
            return {}
        marker = FakeDeleteMarker(key=found[-1])
        marker._version_id = _NULL  # noqa: SLF001  # moto gives every marker an id of its own
        rest.append(marker)
    if rest:
        bucket.keys.setlist(name, rest)
    elif found:
        bucket.keys.setlist(name, [])
        bucket.keys.pop(name)
    told = {"version-id": version or _NULL}
    return told if version else {**told, "delete-marker": "true"}
