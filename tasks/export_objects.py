"""Reading what S3 holds of an export: ranges of an object as a file, and its checksum."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence

import pyarrow.parquet as pq

from haven.export.manifest import ExportedTable, Stored
from tasks.kinds import looks
from tasks.multipart import Target

CHUNK = 8 * 1024 * 1024


class ObjectFile:
    """An object as a file that is read from anywhere; nothing of it is kept."""

    def __init__(self, target: Target, key: str, size: int) -> None:
        """Take an object of known size."""
        self._target, self._key, self._size, self._at = target, key, size, 0
        self.closed = False

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Read so many bytes, or all that are left, in one request."""
        left = self._size - self._at
        wanted = left if count < 0 else min(count, left)
        if wanted <= 0:
            return b""
        answer = self._target.s3.get_object(
            **self._target.place,
            Key=self._key,
            Range=f"bytes={self._at}-{self._at + wanted - 1}",
        )
        body: bytes = answer["Body"].read()
        self._at += len(body)
        return body

    def close(self) -> None:
        """Read no more."""
        self.closed = True


def open_parquet(target: Target, stored: Stored) -> pq.ParquetFile:
    """Open an object; its row groups are read one by one."""
    return pq.ParquetFile(ObjectFile(target, stored.key, stored.size), pre_buffer=False)


def what_is_wrong(target: Target, stored: Stored) -> Iterator[str]:
    """Yield how what S3 holds differs from a manifest: bytes, S3's own checksum, rows, key."""
    head = target.s3.head_object(**target.place, Key=stored.key, ChecksumMode="ENABLED")
    if head["ContentLength"] != stored.size:
        yield f"{stored.key} has {head['ContentLength']:,} bytes, not {stored.size:,}"
        return
    # S3 adds how many parts there were.
    checksum = head.get("ChecksumSHA256", "").partition("-")[0]
    if checksum != stored.checksum:
        yield f"{stored.key} has the checksum {checksum or 'none'}, not {stored.checksum}"
    if head.get("SSEKMSKeyId") != target.kms_key:
        yield f"{stored.key} is not encrypted with the stack's key"
    with open_parquet(target, stored) as parquet:
        rows = parquet.metadata.num_rows
    if rows != stored.rows:
        yield f"{stored.key} has {rows:,} rows, not {stored.rows:,}"


def digest_of(target: Target, stored: Stored) -> str:
    """Return the SHA-256 of an object as S3 hands it out, in hexadecimal."""
    digest = hashlib.sha256()
    body = target.s3.get_object(**target.place, Key=stored.key)["Body"]
    for chunk in body.iter_chunks(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


@looks
def check_objects(target: Target, tables: Sequence[ExportedTable]) -> dict[str, str]:
    """Hold every object against what was written down of it; return what is wrong, by table."""
    found = {
        one.identity: "; ".join(
            problem for stored in one.objects for problem in what_is_wrong(target, stored)
        )
        for one in tables
    }
    return {name: problems for name, problems in found.items() if problems}
