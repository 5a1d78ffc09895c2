"""The HTTP door: every request is named, delayed, answered, recorded, and never left as HTML."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import HTTPException

from localcloud import error_shapes, naming
from localcloud.answer import Caught, Environ, answer_error
from localcloud.breakage import Breakage
from localcloud.control import Control
from localcloud.dispatcher import Dispatcher
from localcloud.monitoring.monitor import Monitor
from localcloud.naming import Named
from localcloud.runtime import Runtime

LOG = logging.getLogger("localcloud")

Start = Callable[..., Any]


class Door:
    """The WSGI application."""

    def __init__(self, runtime: Runtime, monitor: Monitor) -> None:
        self._runtime = runtime
        self._moto = Dispatcher()
        self._control = Control(runtime, monitor)
        self._breakage = Breakage(runtime)
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer one request."""
        if str(environ.get("PATH_INFO", "")).startswith("/localcloud/"):
            return self._control(environ, start_response)
        body = _buffered(environ)
        named = naming.of(environ, body)
        started = time.monotonic()
        self._runtime.latency.wait(self._runtime.latency.of("api"))
        caught = Caught()
        content = self._breakage.around(environ, named, caught, self._answer)
        code = error_shapes.code_in(content) if caught.number >= 400 else None  # noqa: PLR2004
        if caught.number >= 400 and code is None:  # noqa: PLR2004  # the errors of HTTP
            code = str(caught.number)
        self._runtime.calls.record(
            named.service,
            named.operation,
            named.region,
            caught.number,
            code,
            time.monotonic() - started,
        )
        start_response(caught.status, caught.headers)
        return [content]

    def _answer(self, environ: Environ, named: Named, caught: Caught) -> bytes:
        try:
            application = self._application(environ)
            if application is None:
                message = f"The service {named.service} is not simulated by the local cloud."
                return answer_error(environ, named, caught, ("InvalidAction", message, "501"))
            # moto checks and then acts without a lock of its own; conditional writes need one.
            with self._locks[named.service]:
                content = _whole(application(environ, caught))
        except NotImplementedError:
            message = f"{named.operation} of {named.service} is not simulated by the local cloud."
            return answer_error(environ, named, caught, ("InvalidAction", message, "501"))
        except HTTPException as error:
            return answer_error(environ, named, caught, ("InvalidRequest", str(error), "400"))
        except Exception as error:  # whatever moto raises becomes an AWS error
            LOG.exception("%s %s failed inside.", named.service, named.operation)
            message = f"{named.operation} failed inside the local cloud: {error!r}"
            return answer_error(environ, named, caught, ("InternalFailure", message, "500"))
        if caught.number >= 400 and content.lstrip()[:14].lower() == b"<!doctype html":  # noqa: PLR2004
            message = f"{named.operation} of {named.service} is not simulated by the local cloud."
            return answer_error(environ, named, caught, ("InvalidAction", message, "501"))
        return content

    def _application(self, environ: Environ) -> Any:
        try:
            return self._moto.get_application(environ)
        except AttributeError:
            # moto looks up the name of a service it does not have.
            return None


def _whole(parts: Iterable[bytes]) -> bytes:
    try:
        return b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


def _buffered(environ: Environ) -> bytes:
    """Return the body of a form, and put it back for moto; other bodies stay unread."""
    if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        return b""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body
