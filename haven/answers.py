"""Answers of AWS that are not what they seem: cut short, or about a thing too new to be known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import IncompleteReadError

# Seconds in which something just made may not be found yet (AWS: eventual consistency of EC2,
# IAM, RDS, Secrets Manager and S3 bucket configuration).
SETTLING = 30.0
ATTEMPTS = 8
LONGEST_DELAY = 4.0
NOT_FOUND = ("NotFound", "NoSuchEntity", "NoSuchBucket", "NoSuchHostedZone")


def refuse_part(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raise ``IncompleteReadError`` for an answer that ended before its Content-Length.

    botocore makes an answer of whatever came: a list that was cut short would look complete.
    """
    body, headers = response_dict.get("body"), response_dict.get("headers", {})
    announced = headers.get("content-length", "")
    if not isinstance(body, bytes) or not body or not announced.isdigit():
        return
    if "content-encoding" not in headers and len(body) < int(announced):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(announced))


class Fresh:
    """What steps have made lately. A step that does not find what it made asks again.

    botocore calls ``note`` after each call and ``delay`` before it gives an answer out.
    """

    def __init__(
        self, step: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take who tells which step is at work, and the time in seconds."""
        self._step, self._clock = step, clock
        self._made: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, model: Any, http_response: Any, **_: Any) -> None:
        """Remember that the step at work has made something, or that it is at deleting by now."""
        if http_response.status_code >= 300:  # noqa: PLR2004  # HTTP
            return
        with self._lock:
            if model.name.startswith("Create"):
                self._made[self._step()] = self._clock()
            elif model.name.startswith("Delete"):
                self._made.pop(self._step(), None)

    def delay(self, attempts: int, response: Any = None, **_: Any) -> float | None:
        """Return the seconds after which to ask again, or nothing to take the answer."""
        code = str(response[1].get("Error", {}).get("Code", "")) if response else ""
        if not any(word in code for word in NOT_FOUND) or attempts >= ATTEMPTS:
            return None
        with self._lock:
            made = self._made.get(self._step())
        if made is None or self._clock() - made > SETTLING:
            return None
        return float(min(LONGEST_DELAY, 0.1 * 2**attempts))
