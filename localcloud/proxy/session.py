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
from typing import Protocol

from localcloud.proxy import handshake, protocol, relay
from localcloud.proxy.handshake import Streams
from localcloud.proxy.protocol import BackendError, Key, ProtocolError, Refused
from localcloud.proxy.relay import Relay
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
    clock: Callable[[], float]


class Neighbours(Protocol):
    """What a session has to know of the others at its proxy."""

    def open_now(self, resource: str) -> int:
        """Count the connections to a database."""

    async def cancel(self, key: Key) -> None:
        """Cancel the query of the session that was given this key, if there is one."""


class Session:
    """A client and, once it is let in, its own connection to the database."""

    def __init__(self, policy: Policy, neighbours: Neighbours) -> None:
        self._policy = policy
        self._neighbours = neighbours
        self.resource: str | None = None
        self.key: Key | None = None
        self._socket: Path | None = None
        self._own_key: Key | None = None
        self._relay: Relay | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def run(self, accepted: socket.socket) -> None:
        """Serve one accepted connection to its end."""
        try:
            client = await asyncio.wait_for(self._secure(accepted), _LOGIN_LIMIT)
            if client is None:
                return
            startup = await asyncio.wait_for(protocol.read_packet(client[0]), _LOGIN_LIMIT)
            if protocol.is_cancel(startup):
                await self._neighbours.cancel(protocol.parse_key(startup[4:]))
                await relay.closed(client[1])
                return
            backend = await self._admit(client, startup)
            if backend is not None:
                await self._relayed(client, backend)
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

    def drain(self) -> None:
        """End after the transaction that is open, if one is."""
        if self._relay is None:
            self.close()
        else:
            self._relay.drain()

    async def cancel_query(self) -> None:
        """Let the database cancel what this session runs."""
        if self._socket is None or self._own_key is None:
            return
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        writer.write(protocol.cancel(self._own_key))
        # The database closes the connection when the signal has been sent.
        await reader.read()
        writer.close()

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
        client = await self._streams(accepted, None)
        client[0].feed_data(head)
        # Old clients send a cancel request in the clear, whatever their session is like.
        if self._policy.require_tls and code != protocol.CANCEL_REQUEST:
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

    async def _admit(self, client: Streams, startup: bytes) -> Streams | None:
        """Log the client in here and at the database; tell it why when that fails."""
        writer = client[1]
        try:
            return await self._login(client, protocol.parse_startup(startup))
        except Refused as refusal:
            writer.write(protocol.error(refusal.state, refusal.message))
        except BackendError as refusal:
            writer.write(refusal.packet)
        except ScramError as error:
            writer.write(protocol.error("28000", str(error)))
        self.resource = None
        with contextlib.suppress(OSError):
            await writer.drain()
            # Let the message out before the connection is cut.
            await client[0].read(_CHUNK)
        return None

    async def _login(self, client: Streams, parameters: dict[str, str]) -> Streams:
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
        self._socket = target.socket
        self.key, self._own_key = await handshake.hand_over(backend, client)
        return backend

    async def _borrow(self) -> Backend:
        """Return the target when it has room, waiting as long as a borrow may take."""
        end = self._policy.clock() + self._policy.borrow_timeout
        while True:  # another thread changes what is asked for
            target = self._policy.backend()
            if target is not None:
                room = max(1, target.connections * self._policy.percent // 100)
                if self._neighbours.open_now(target.resource) < room:
                    self.resource = target.resource
                    return target
            if self._policy.clock() >= end:
                raise Refused("08001", "Timed-out waiting to acquire database connection.")
            await asyncio.sleep(_POLL)

    async def _relayed(self, client: Streams, backend: Streams) -> None:
        policy = self._policy
        self._relay = Relay(client, backend, policy.idle_timeout, policy.clock)
        await self._relay.run()


async def _exactly(loop: asyncio.AbstractEventLoop, accepted: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        piece = await loop.sock_recv(accepted, count - len(read))
        if not piece:
            raise EOFError
        read += piece
    return read
