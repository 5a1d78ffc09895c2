"""One connection of a client: requests are read whole, so that it can stay open for the next."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from moto.server import MotoRequestHandler

from localcloud.answer import Caught

LOG = logging.getLogger("localcloud.http")

# A client that is not heard of for so long opens another one.
_IDLE = 60.0
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Handler(MotoRequestHandler):  # type: ignore[misc]  # moto has no types
    """Answers the requests of one connection, and logs to the file, not to the terminal.

    werkzeug ends the connection after each, since it leaves bodies unread. A thread and a
    connection for each cost more than what is asked.
    """

    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request; one whose length is not told in advance ends the connection."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            super().run_wsgi()
            return
        body = self.rfile.read(int(length))
        self.environ = self.make_environ()
        self.environ["wsgi.input"] = io.BytesIO(body)
        caught = Caught()
        try:
            parts: Iterable[bytes] = self.server.app(self.environ, caught)
            self._send(caught, b"".join(parts))
        except ConnectionError as error:
            self.close_connection = True
            self.connection_dropped(error, self.environ)

    def _send(self, caught: Caught, content: bytes) -> None:
        """Send head and body in one piece."""
        self.send_response(caught.number, caught.status.partition(" ")[2])
        for name, value in caught.headers:
            self.send_header(name, value)
        named = {name.lower() for name, _ in caught.headers}
        if "content-length" not in named and caught.number not in _BODILESS:
            self.send_header("Content-Length", str(len(content)))
        if self.command != "HEAD":
            self._headers_buffer += [b"\r\n", content]
        else:
            self._headers_buffer.append(b"\r\n")
        self.flush_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write a request to the log file where it wants to know; the calls are kept elsewhere."""
        if LOG.isEnabledFor(logging.DEBUG):
            super().log_request(code, size)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's name
        """Write requests to the log file."""
        LOG.log(logging.ERROR if type == "error" else logging.DEBUG, message, *args)
