"""Logging in: a client at the proxy, and the proxy at the database."""

from __future__ import annotations

import asyncio
import secrets
import struct

from localcloud.proxy import protocol
from localcloud.proxy.protocol import BackendError, Key, ProtocolError, Refused
from localcloud.proxy.scram import MECHANISM, ClientExchange, ScramError, ServerExchange

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def check_client(client: Streams, user: str, password: str) -> None:
    """Make the client prove that it knows the password of a registered secret."""
    reader, writer = client
    exchange = ServerExchange(password)
    writer.write(protocol.authentication(protocol.AUTH_SASL, MECHANISM.encode() + b"\0\0"))
    try:
        challenge = exchange.first(await _initial(reader))
        writer.write(protocol.authentication(protocol.AUTH_CONTINUE, challenge.encode()))
        kind, payload = await protocol.read_message(reader)
        if kind != b"p":
            raise ProtocolError("The client did not answer the challenge.")
        proof = exchange.final(payload.decode())
    except (ScramError, UnicodeDecodeError) as error:
        raise Refused(
            "28P01", f"The password that was provided for the role {user} is wrong."
        ) from error
    writer.write(protocol.authentication(protocol.AUTH_FINAL, proof.encode()))


async def _initial(reader: asyncio.StreamReader) -> str:
    kind, payload = await protocol.read_message(reader)
    name, _, rest = payload.partition(b"\0")
    if kind != b"p" or name.decode() != MECHANISM:
        raise ScramError("The client chose another mechanism.")
    return rest[4:].decode()


async def log_in(backend: Streams, parameters: dict[str, str], password: str) -> None:
    """Open a session at the database as the client's user; raise ``BackendError`` if refused."""
    reader, writer = backend
    writer.write(protocol.startup(parameters))
    exchange = ClientExchange(password)
    while True:
        kind, payload = await protocol.read_message(reader)
        if kind == b"E":
            raise BackendError(protocol.message(kind, payload))
        if kind != b"R":
            raise ProtocolError("The database did not ask for a password.")
        (code,) = struct.unpack("!I", payload[:4])
        if code == protocol.AUTH_OK:
            return
        writer.write(_answer(exchange, code, payload[4:]))


async def hand_over(backend: Streams, client: Streams) -> tuple[Key, Key]:
    """Pass on what a database says until it is ready.

    The client gets a cancellation key of the proxy's. Return that key and the database's own.
    """
    given = own = (0, 0)
    while True:
        kind, payload = await protocol.read_message(backend[0])
        if kind == b"E":
            raise BackendError(protocol.message(kind, payload))
        if kind == b"K":
            own = protocol.parse_key(payload)
            given = own[0], secrets.randbits(32)
            client[1].write(protocol.key_data(*given))
        else:
            client[1].write(protocol.message(kind, payload))
        if kind == b"Z":
            return given, own


def _answer(exchange: ClientExchange, code: int, payload: bytes) -> bytes:
    if code == protocol.AUTH_SASL:
        first = exchange.first().encode()
        name = MECHANISM.encode() + b"\0"
        return protocol.message(b"p", name + struct.pack("!I", len(first)) + first)
    if code == protocol.AUTH_CONTINUE:
        return protocol.message(b"p", exchange.final(payload.decode()).encode())
    if code == protocol.AUTH_FINAL:
        exchange.verify(payload.decode())
        return b""
    raise ProtocolError("The database asks for something other than SCRAM.")
