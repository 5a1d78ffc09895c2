"""S3: an object that is written while it is being made, in parts, and exists only when it is whole."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

# S3 takes at most 10,000 parts of at least 5 MiB, but for the last one.
PART = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """Where objects are written: a client, a bucket of the account, and the key that encrypts."""

    s3: Any
    bucket: str
    account: str
    kms_key: str

    @property
    def place(self) -> dict[str, str]:
        """The bucket, which must be the account's own."""
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self.account}


@dataclass(frozen=True, slots=True)
class Written:
    """An object that was written: its bytes, their SHA-256, and that of the parts' SHA-256.

    The last is what S3 keeps of it; S3 adds a dash and the number of parts.
    """

    size: int
    sha256: str
    checksum: str


class Upload:
    """A file that can only be written, from begin to end.

    At most two parts are in memory: one that grows, and one on its way.
    """

    def __init__(self, target: Target, key: str, pool: ThreadPoolExecutor) -> None:
        """Begin an upload; ``pool`` has one thread, which sends the parts in order."""
        self._target, self._key, self._pool = target, key, pool
        self._growing = bytearray()
        self._whole = hashlib.sha256()
        self._parts: list[dict[str, Any]] = []
        self._digests = hashlib.sha256()
        self._on_its_way: Future[None] | None = None
        self._size = 0
        self.closed = False
        answer = target.s3.create_multipart_upload(
            **target.place,
            Key=key,
            ChecksumAlgorithm="SHA256",
            ContentType="application/vnd.apache.parquet",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=target.kms_key,
        )
        self._upload = {**target.place, "Key": key, "UploadId": answer["UploadId"]}

    def write(self, data: Any) -> int:
        """Take bytes; whole parts go on their way."""
        self._growing += data
        size = memoryview(data).nbytes
        self._size += size
        while len(self._growing) >= PART:
            self._send(bytes(self._growing[:PART]))
            del self._growing[:PART]
        return size

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size

    def flush(self) -> None:
        """Do nothing: parts go when they are full."""

    def readable(self) -> bool:
        """Tell that it cannot be read."""
        return False

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def seekable(self) -> bool:
        """Tell that it has no way back."""
        return False

    def close(self) -> None:
        """Take no more bytes. The object is there after ``complete``."""
        self.closed = True

    def complete(self) -> Written:
        """Send what is left, and let the object be. Raises what S3 says of a key that is taken."""
        self._send(bytes(self._growing))
        self._wait()
        self._target.s3.complete_multipart_upload(
            **self._upload, MultipartUpload={"Parts": self._parts}, IfNoneMatch="*"
        )
        return Written(
            self._size,
            self._whole.hexdigest(),
            base64.b64encode(self._digests.digest()).decode(),
        )

    def abort(self) -> None:
        """Give up what was sent."""
        self._target.s3.abort_multipart_upload(**self._upload)

    def _send(self, part: bytes) -> None:
        self._wait()
        self._on_its_way = self._pool.submit(copy_context().run, self._put, part)

    def _put(self, part: bytes) -> None:
        digest = hashlib.sha256(part).digest()
        number = len(self._parts) + 1
        checksum = base64.b64encode(digest).decode()
        answer = self._target.s3.upload_part(
            **self._upload, PartNumber=number, Body=part, ChecksumSHA256=checksum
        )
        self._whole.update(part)
        self._digests.update(digest)
        self._parts.append(
            {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
        )

    def _wait(self) -> None:
        if self._on_its_way is not None:
            self._on_its_way.result()
            self._on_its_way = None


@contextmanager
def upload(target: Target, key: str) -> Iterator[Upload]:
    """Hold an upload for a block; what the block does not complete is given up."""
    with ThreadPoolExecutor(1, thread_name_prefix="upload") as pool:
        found = Upload(target, key, pool)
        try:
            yield found
        except BaseException as error:
            pool.shutdown(wait=True, cancel_futures=True)
            try:
                found.abort()
            except (ClientError, BotoCoreError) as other:
                error.add_note(f"The upload of {key} was not given up: {other}")
            raise


def abandoned(target: Target, prefix: str) -> list[tuple[str, str]]:
    """Return key and id of uploads that nobody completed."""
    pages = target.s3.get_paginator("list_multipart_uploads").paginate(
        **target.place, Prefix=prefix
    )
    return [(item["Key"], item["UploadId"]) for page in pages for item in page.get("Uploads", ())]


def give_up(target: Target, key: str, upload_id: str) -> None:
    """Give up an upload of a run that was killed; one that is gone by now is no matter."""
    with suppress(target.s3.exceptions.NoSuchUpload):
        target.s3.abort_multipart_upload(**target.place, Key=key, UploadId=upload_id)
