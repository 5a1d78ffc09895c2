"""The listener of one proxy: an address, a certificate, and the sessions it has open."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from pathlib import Path

from localcloud.addresses import Address
from localcloud.certificates import ServerCertificate
from localcloud.proxy.loop import EventLoop
from localcloud.proxy.protocol import Key
from localcloud.proxy.session import Policy, Session

_BACKLOG = 128


def server_context(issued: ServerCertificate) -> ssl.SSLContext:
    """Return a TLS context that serves one certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads certificates from files only.
    with tempfile.TemporaryDirectory() as directory:
        chain = Path(directory) / "chain.pem"
        chain.touch(mode=0o600)
        chain.write_bytes(issued.key + issued.certificate)
        context.load_cert_chain(chain)
    return context


class Listener:
    """Listens for the clients of one proxy until it is closed."""

    def __init__(self, event_loop: EventLoop, address: Address, policy: Policy) -> None:
        self.address = address
        self.policy = policy
        self._events = event_loop
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((address.host, address.port))
        self._socket.listen(_BACKLOG)
        self._socket.setblocking(False)
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._accepting = event_loop.run(self._begin())

    def close(self) -> None:
        """Stop listening and cut every session."""
        self._events.run(self._end())

    def drain_except(self, resource: str | None) -> None:
        """End the sessions that are not with this database, each after its transaction."""
        self._events.run(self._drain(resource))

    def open_now(self, resource: str) -> int:
        """Count the sessions with a database."""
        return sum(session.resource == resource for session in self._sessions.values())

    async def cancel(self, key: Key) -> None:
        """Cancel the query of the session that was given this key, and of no other."""
        for session in list(self._sessions.values()):
            if session.key == key:
                await session.cancel_query()
                return

    async def _begin(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted, _ = await loop.sock_accept(self._socket)
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self.policy, self)
            task = asyncio.create_task(session.run(accepted))
            self._sessions[task] = session
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sessions.pop(task, None)
        if not task.cancelled():
            task.exception()

    async def _drain(self, resource: str | None) -> None:
        for session in self._sessions.values():
            if session.resource is not None and session.resource != resource:
                session.drain()

    async def _end(self) -> None:
        self._accepting.cancel()
        tasks = list(self._sessions)
        for task in tasks:
            task.cancel()
        await asyncio.gather(self._accepting, *tasks, return_exceptions=True)
        self._socket.close()
