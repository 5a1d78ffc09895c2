"""Carrying a session's messages both ways, and ending it when it is idle or has to go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from localcloud.proxy import protocol
from localcloud.proxy.frames import Frames
from localcloud.proxy.handshake import Streams

_CHUNK = 65536
# How soon a move of the clock is noticed.
_NOTICE = 1.0
_FAREWELL_LIMIT = 5.0
_IN_NO_TRANSACTION = b"I"


class Relay:
    """A client and its connection to the database, from the first query on."""

    def __init__(
        self, client: Streams, backend: Streams, idle: float, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._backend = backend
        self._idle = idle
        self._clock = clock
        self._frames = Frames()
        self._frames.status = _IN_NO_TRANSACTION
        self._active = clock()
        self._woken = asyncio.Event()
        self._draining = False
        self._leaving = False

    async def run(self) -> None:
        """Carry until one side ends, the client is idle for too long, or it has been drained."""
        ways = [
            asyncio.create_task(self._from_client()),
            asyncio.create_task(self._from_backend()),
            asyncio.create_task(self._watch()),
        ]
        done, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if self._leaving:
            await asyncio.wait(ways[2:])
        for way in rest:
            way.cancel()
        await asyncio.gather(*done, *rest, return_exceptions=True)

    def drain(self) -> None:
        """End the session as soon as no transaction is open and no query runs."""
        self._draining = True
        self._leave_if_at_rest()

    def _leave_if_at_rest(self) -> None:
        """Take nothing more from the client once nothing of it is under way."""
        at_rest = self._frames.status == _IN_NO_TRANSACTION and self._frames.between
        if self._draining and at_rest:
            self._leaving = True
            self._woken.set()

    async def _from_client(self) -> None:
        reader, writer = self._client[0], self._backend[1]
        while piece := await reader.read(_CHUNK):
            if self._leaving:
                continue
            self._active = self._clock()
            self._frames.status = b""
            writer.write(piece)
            await writer.drain()
        if not self._leaving:
            await closed(writer)

    async def _from_backend(self) -> None:
        reader, writer = self._backend[0], self._client[1]
        while piece := await reader.read(_CHUNK):
            self._active = self._clock()
            self._frames.feed(piece)
            writer.write(piece)
            self._leave_if_at_rest()
            await writer.drain()
        await closed(writer)

    async def _watch(self) -> None:
        while True:
            if self._leaving:
                await self._say_farewell()
                return
            left = self._active + self._idle - self._clock()
            if left <= 0 and self._frames.status:
                return
            self._woken.clear()
            pause = min(left, _NOTICE) if left > 0 else _NOTICE
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)

    async def _say_farewell(self) -> None:
        """End both sides as a server does that shuts down."""
        words = "terminating connection due to administrator command"
        self._client[1].write(protocol.error("57P01", words))
        self._backend[1].write(protocol.message(b"X", b""))
        await closed(self._client[1])
        await closed(self._backend[1])


async def closed(writer: asyncio.StreamWriter) -> None:
    """Send what is left, say that it was all, and close."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), _FAREWELL_LIMIT)
