"""A small TCP relay between a run and its server: a link that is slow, or that ends in some way."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

PIECE = 16_384
End = Literal["reset", "half", "silence"]


@dataclass(frozen=True, slots=True)
class Link:
    """How a link behaves: seconds for each piece of data, and bytes from the server until it ends.

    It ends reset, closed on the side of the server alone, or silent: open, and passing nothing.
    """

    delay: float = 0.0
    lasts: int | None = None
    end: End = "reset"


class Relay:
    """Listens beside a server, on its address, and passes on what comes."""

    def __init__(self, host: str, port: int, link: Link) -> None:
        """Listen on a port of the system's choice; ``ports`` has it, by what it stands for."""
        self._target, self._link = (host, port), link
        self._left = link.lasts
        self._lock = threading.Lock()
        self._pause = threading.Event()
        self._open: list[socket.socket] = []
        self._silent: set[socket.socket] = set()
        self._listener = socket.create_server((host, 0))
        self.ports = {f"{host}:{port}": self._listener.getsockname()[1]}
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def ended(self) -> bool:
        """Tell whether the link came to its end, if it was to."""
        return self._left is None

    def close(self) -> None:
        """Break every connection, and listen no more."""
        self._pause.set()
        self._listener.close()
        self._break()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(self._target)
                self._open += [client, server]
                for pair in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(
        self, source: socket.socket, sink: socket.socket, counted: bool
    ) -> None:  # an argument of a thread
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                self._pause.wait(self._link.delay)
                if source not in self._silent:
                    sink.sendall(piece)
                if counted and self._spent(len(piece)):
                    self._end(sink)
            sink.shutdown(socket.SHUT_WR)

    def _spent(self, size: int) -> bool:
        """Count bytes; true once, when the link is to end."""
        with self._lock:
            if self._left is None:
                return False
            self._left -= size
            if self._left > 0:
                return False
            self._left = None
            return True

    def _end(self, client: socket.socket) -> None:
        match self._link.end:
            case "half":
                client.shutdown(socket.SHUT_WR)
            case "silence":
                self._silent.update(self._open)
            case "reset":
                self._break()

    def _break(self) -> None:
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relayed(host: str, port: int, link: Link) -> Iterator[Relay]:
    """Run a relay for a block."""
    relay = Relay(host, port, link)
    try:
        yield relay
    finally:
        relay.close()
