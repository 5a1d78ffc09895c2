"""One mutating operation at a time: a lease in the stack's state bucket.

The object is made with ``If-None-Match: *`` and renewed, taken over and freed with ``If-Match``,
so that two holders are impossible. It is never deleted: its epoch rises with every holder and
fences off those who lost it. Age is judged by S3's own clock alone.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from haven.aws import aws_error, is_code
from haven.errors import Conflict, HavenError, Unavailable

KEY = "locks/stack.json"
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
MISSING = ("NoSuchKey", "404")
RENEWALS_PER_LEASE = 3


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease, since when, for how many seconds beyond its last renewal."""

    owner: str
    operation: str
    since: str
    seconds: float
    epoch: int
    held: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """The lease object as read: its holder, version, and age in seconds by S3's clock."""

    holder: Holder
    etag: str
    age: float

    @property
    def free(self) -> bool:
        """Tell whether it may be taken."""
        return not self.holder.held or self.age > self.holder.seconds


class Lease:
    """A held lease. ``check`` raises once it was lost; ``epoch`` fences what it protects."""

    def __init__(self, s3: Any, bucket: str, holder: Holder, etag: str) -> None:
        """Wrap a lease that was just taken."""
        self._s3, self._bucket, self._etag = s3, bucket, etag
        self.holder = holder
        self._lost = threading.Event()
        self._stop = threading.Event()

    @property
    def epoch(self) -> int:
        """The fencing epoch of this holder."""
        return self.holder.epoch

    def check(self) -> None:
        """Raise ``Unavailable`` when somebody else may hold the lease by now."""
        if self._lost.is_set():
            raise Unavailable(
                f"The lock of the stack was lost by {self.holder.owner}.",
                left="Steps that had begun were finished; no further one was started.",
                cure="Run the same command again to resume.",
            )

    def confirm(self) -> None:
        """As ``check``, but ask S3 itself: the loss may not have been noticed yet."""
        self.check()
        try:
            seen = read_lease(self._s3, self._bucket)
        except (ClientError, BotoCoreError) as error:
            raise aws_error(error, f"the lock in {self._bucket}") from error
        if seen is None or seen.holder != self.holder:
            self._lost.set()
        self.check()

    def renew(self) -> None:
        """Renew until stopped; run in a thread of its own."""
        while not self._stop.wait(self.holder.seconds / RENEWALS_PER_LEASE):
            try:
                self._etag = _replace(self._s3, self._bucket, self.holder, self._etag)
            except (ClientError, BotoCoreError, HavenError):
                self._lost.set()
                return

    def stop_renewing(self) -> None:
        """Ask the renewing thread to end; it must be still before the lease is freed."""
        self._stop.set()

    def release(self) -> None:
        """Free the lease, unless it was lost already."""
        if self._lost.is_set():
            return
        with contextlib.suppress(Conflict):
            _replace(self._s3, self._bucket, replace(self.holder, held=False), self._etag)


@contextmanager
def held_lease(
    s3: Any, bucket: str, holder: Holder, *, by_force: Callable[[], object] | None = None
) -> Iterator[Lease]:
    """Take the stack's lease for a block, renewing it in the background.

    Raises ``Conflict`` naming the holder when it is taken. ``by_force`` takes it all the same: its
    holder cannot renew it, and stops before its next step. It is called before, and raises where
    there is no reason to.
    """
    taken, etag = _take(s3, bucket, holder, by_force=by_force)
    lease = Lease(s3, bucket, taken, etag)
    renewer = threading.Thread(target=lease.renew, name="haven-lease", daemon=True)
    renewer.start()
    try:
        yield lease
    finally:
        lease.stop_renewing()
        renewer.join()
        lease.release()


def _take(
    s3: Any, bucket: str, holder: Holder, *, by_force: Callable[[], object] | None
) -> tuple[Holder, str]:
    seen = read_lease(s3, bucket)
    if seen is not None and not seen.free:
        if by_force is None:
            raise _conflict(seen)
        by_force()
        seen = read_lease(s3, bucket)
    epoch = seen.holder.epoch + 1 if seen else 1
    wanted = replace(holder, epoch=epoch)
    return wanted, _replace(s3, bucket, wanted, seen.etag if seen else None)


def read_lease(s3: Any, bucket: str) -> Seen | None:
    """Return the lease as it is now, or nothing if there was never one."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=KEY)
    except ClientError as error:
        if is_code(error, *MISSING):
            return None
        raise
    holder = Holder(**json.loads(answer["Body"].read()))
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    written: datetime = answer["LastModified"]
    return Seen(holder, answer["ETag"], (now - written).total_seconds())


def _replace(s3: Any, bucket: str, wanted: Holder, etag: str | None) -> str:
    """Write the lease in place of the version seen, or as the first; return its version.

    Raises ``Conflict`` naming the holder when somebody else was there first. A request whose
    answer was lost is sent again and refused, though it was this holder's own.
    """
    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        return _write(s3, bucket, wanted, **condition)
    except ClientError as error:
        if not is_code(error, *TAKEN):
            raise
    now = read_lease(s3, bucket)
    if now is None:
        raise Unavailable(
            "The lock of the stack changed hands.",
            left="Nothing was touched.",
            cure="Run the same command again.",
        )
    if now.holder == wanted:
        return now.etag
    raise _conflict(now)


def _write(s3: Any, bucket: str, holder: Holder, **condition: str) -> str:
    body = json.dumps(asdict(holder)).encode()
    answer = s3.put_object(
        Bucket=bucket, Key=KEY, Body=body, ContentType="application/json", **condition
    )
    return str(answer["ETag"])


def _conflict(seen: Seen) -> HavenError:
    holder = seen.holder
    left = max(0, int(holder.seconds - seen.age)) + 1
    return Conflict(
        f"The stack is locked by {holder.owner}, which runs {holder.operation} "
        f"since {holder.since}.",
        left="Nothing was touched.",
        cure=f"Wait for it; if it died, the lock is free in {left} s.",
    )
