"""An answer while it is being made: status and headers first caught, then sent or replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud import error_shapes
from localcloud.naming import Named

Environ = dict[str, Any]


class Caught:
    """Holds status and headers until the answer is whole."""

    def __init__(self) -> None:
        self.status = "500 Internal Server Error"
        self.headers: list[tuple[str, str]] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], _failure: object = None
    ) -> Callable[[bytes], object]:
        """Take status and headers, as start_response does."""
        self.status = status
        self.headers = list(headers)
        return lambda _: None

    @property
    def number(self) -> int:
        """The HTTP status."""
        return int(self.status.split(" ", 1)[0])


def answer_error(
    environ: Environ, named: Named, caught: Caught, facts: tuple[str, str, str]
) -> bytes:
    """Make the answer an error: its code, message and HTTP status, as the service writes them."""
    code, message, number = facts
    kind = str(environ.get("CONTENT_TYPE", ""))
    shaped = error_shapes.shape(named.service, kind, code, message, f"{number} {code}")
    caught(shaped.status, shaped.headers)
    return shaped.body
