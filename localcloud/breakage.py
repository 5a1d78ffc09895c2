"""Faults at the door: a request that is refused, lost, late, cut short or answered from the past."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Callable

from localcloud.answer import Caught, Environ, answer_error
from localcloud.faults import Fault
from localcloud.naming import Named
from localcloud.runtime import Runtime

Answer = Callable[[Environ, Named, Caught], bytes]
Kept = tuple[str, list[tuple[str, str]], bytes]


class Breakage:
    """Stands between the door and what answers, and does to a request what a fault says."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._past: dict[tuple[str, ...], list[Kept]] = {}
        self._lock = threading.Lock()

    def around(self, environ: Environ, named: Named, caught: Caught, answer: Answer) -> bytes:
        """Return the answer, unless a fault was armed for the request."""
        faults = self._runtime.faults
        remembered = _memory_key(environ, named) if faults.wants_memory(named) else None
        fault = faults.take(named)
        if fault is None:
            content = answer(environ, named, caught)
        else:
            content = self._broken(fault, environ, named, caught, answer)
        if remembered is not None:
            self._remember(remembered, caught, content)
        return content

    def _broken(
        self, fault: Fault, environ: Environ, named: Named, caught: Caught, answer: Answer
    ) -> bytes:
        if fault.kind in ("reset", "silence"):
            self._drop(fault, environ)
        if fault.kind == "error":
            return answer_error(environ, named, caught, _facts(fault))
        content = answer(environ, named, caught)
        match fault.kind:
            case "late-reset" | "late-silence":
                self._drop(fault, environ)
            case "late-error":
                return answer_error(environ, named, caught, _facts(fault))
            case "slow":
                self._runtime.latency.wait(fault.seconds)
            case "cut":
                _cut(environ, caught, content)
            case "stale":
                return self._recalled(_memory_key(environ, named), caught, content)
            case _:
                pass
        return content

    def _drop(self, fault: Fault, environ: Environ) -> None:
        """End the connection without an answer; a silence lasts first."""
        if fault.kind.endswith("silence"):
            self._runtime.latency.wait(fault.seconds)
        _reset(environ)

    def _remember(self, key: tuple[str, ...], caught: Caught, content: bytes) -> None:
        with self._lock:
            past = self._past.setdefault(key, [])
            past.append((caught.status, list(caught.headers), content))
            del past[:-2]

    def _recalled(self, key: tuple[str, ...], caught: Caught, content: bytes) -> bytes:
        with self._lock:
            past = self._past.get(key)
            if not past:
                return content
            status, headers, old = past[0]
        caught(status, headers)
        return old


def _memory_key(environ: Environ, named: Named) -> tuple[str, ...]:
    """Return what makes two requests the same; the body is read and put back."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return (
        named.service,
        named.region,
        named.operation,
        str(environ.get("PATH_INFO", "")),
        str(environ.get("QUERY_STRING", "")),
        body.decode("latin-1"),
    )


def _facts(fault: Fault) -> tuple[str, str, str]:
    return fault.code, fault.message, str(fault.status)


def _cut(environ: Environ, caught: Caught, content: bytes) -> None:
    """Send the head and half of the body as if all would follow, then reset."""
    headers = [item for item in caught.headers if item[0].lower() != "content-length"]
    headers.append(("Content-Length", str(len(content))))
    head = f"HTTP/1.1 {caught.status}\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in headers
    )
    connection: socket.socket = environ["werkzeug.socket"]
    connection.sendall(head.encode("latin-1") + b"\r\n" + content[: len(content) // 2])
    _reset(environ)


def _reset(environ: Environ) -> None:
    """Have the server drop the connection, as it does when a client has gone away."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RD)
    raise ConnectionResetError("A fault was armed for this request.")
