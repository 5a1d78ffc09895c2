"""One client session through a proxy, from its first byte to its last."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localcloud.proxy import handshake, protocol
from localcloud.proxy.handshake import Streams
from localcloud.proxy.protocol import BackendError, ProtocolError, Refused
from localcloud.proxy.scram import ScramError

_CHUNK = 65536
_POLL = 0.05
_LOGIN_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Backend:
    """The database behind the proxy at this moment."""

    resource: str
    socket: Path
    connections: int


@dataclass(slots=True)
class Policy:
    """What a session obeys. Replaced as a whole when the proxy is modified."""

    credentials: Callable[[str], str | None]
    backend: Callable[[], Backend | None]
    tls: ssl.SSLContext
    require_tls: bool
    borrow_timeout: float
    idle_timeout: float
    percent: int


class Session:
    """A client and, once it is let in, its own connection to the database."""

    def __init__(self, policy: Policy, open_now: Callable[[str], int]) -> None:
        self._policy = policy
        self._open_now = open_now
        self.resource: str | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._active = 0.0

    async def run(self, accepted: socket.socket) -> None:
        """Serve one accepted connection to its end."""
        try:
            client = await asyncio.wait_for(self._secure(accepted), _LOGIN_LIMIT)
            if client is None:
                return
            backend = await self._admit(client)
            if backend is not None:
                await self._pump(client, backend)
        except (OSError, EOFError, ProtocolError, ssl.SSLError, TimeoutError):
            # A client that went away or talks nonsense gets no answer.
            return
        finally:
            self.close()
            accepted.close()

    def close(self) -> None:
        """Cut both sides."""
        for writer in self._writers:
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()

    async def _secure(self, accepted: socket.socket) -> Streams | None:
        """Answer the requests that come before the startup, and return the client's streams."""
        loop = asyncio.get_running_loop()
        while True:
            head = await _exactly(loop, accepted, 8)
            length, code = struct.unpack("!II", head)
            if code == protocol.GSS_REQUEST and length == len(head):
                await loop.sock_sendall(accepted, b"N")
            elif code == protocol.SSL_REQUEST and length == len(head):
                await loop.sock_sendall(accepted, b"S")
                return await self._streams(accepted, self._policy.tls)
            else:
                break
        if code == protocol.CANCEL_REQUEST:
            # RDS Proxy does not forward cancel requests.
            return None
        client = await self._streams(accepted, None)
        client[0].feed_data(head)
        if self._policy.require_tls:
            client[1].write(protocol.error("28000", "This RDS Proxy requires TLS connections."))
            await client[1].drain()
            return None
        return client

    async def _streams(self, accepted: socket.socket, tls: ssl.SSLContext | None) -> Streams:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        inner = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: inner, accepted, ssl=tls)
        writer = asyncio.StreamWriter(transport, inner, reader, loop)
        self._writers.append(writer)
        return reader, writer

    async def _admit(self, client: Streams) -> Streams | None:
        """Log the client in here and at the database; tell it why when that fails."""
        writer = client[1]
        try:
            return await self._login(client)
        except Refused as refusal:
            writer.write(protocol.error(refusal.state, refusal.message))
        except BackendError as refusal:
            writer.write(refusal.packet)
        except ScramError as error:
            writer.write(protocol.error("28000", str(error)))
        with contextlib.suppress(OSError):
            await writer.drain()
            # Let the message out before the connection is cut.
            await client[0].read(_CHUNK)
        return None

    async def _login(self, client: Streams) -> Streams:
        parameters = protocol.parse_startup(
            await asyncio.wait_for(protocol.read_packet(client[0]), _LOGIN_LIMIT)
        )
        if "options" in parameters:
            raise Refused(
                "0A000",
                "Feature not supported: RDS Proxy currently doesn't support command-line options.",
            )
        user = parameters.get("user", "")
        password = await asyncio.to_thread(self._policy.credentials, user)
        if password is None:
            raise Refused(
                "28000",
                f"This RDS proxy has no credentials for the role {user}. Check the credentials "
                "for this role and try again.",
            )
        await asyncio.wait_for(handshake.check_client(client, user, password), _LOGIN_LIMIT)
        target = await self._borrow()
        backend = await asyncio.open_unix_connection(str(target.socket), limit=_CHUNK)
        self._writers.append(backend[1])
        await handshake.log_in(backend, parameters, password)
        client[1].write(protocol.authentication(protocol.AUTH_OK))
        return backend

    async def _borrow(self) -> Backend:
        """Return the target when it has room, waiting as long as a borrow may take."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._policy.borrow_timeout
        while True:  # another thread changes what is asked for
            target = self._policy.backend()
            if target is not None:
                room = max(1, target.connections * self._policy.percent // 100)
                if self._open_now(target.resource) < room:
                    self.resource = target.resource
                    return target
            if loop.time() >= end:
                raise Refused("08001", "Timed-out waiting to acquire database connection.")
            await asyncio.sleep(_POLL)

    async def _pump(self, client: Streams, backend: Streams) -> None:
        loop = asyncio.get_running_loop()
        self._active = loop.time()
        ways = [
            asyncio.create_task(self._copy(client[0], backend[1])),
            asyncio.create_task(self._copy(backend[0], client[1])),
            asyncio.create_task(self._watch_idle()),
        ]
        done, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in rest:
            way.cancel()
        await asyncio.gather(*done, *rest, return_exceptions=True)

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while piece := await source.read(_CHUNK):
            self._active = loop.time()
            target.write(piece)
            await target.drain()
        target.close()
        await target.wait_closed()

    async def _watch_idle(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._active + self._policy.idle_timeout - loop.time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)


async def _exactly(loop: asyncio.AbstractEventLoop, accepted: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        piece = await loop.sock_recv(accepted, count - len(read))
        if not piece:
            raise EOFError
        read += piece
    return read
