"""The parts of PostgreSQL's message protocol (version 3) that a proxy has to read or write."""

from __future__ import annotations

import asyncio
import struct

VERSION = 196608
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
_LONGEST_STARTUP = 10000
_LONGEST_MESSAGE = 1 << 20
Key = tuple[int, int]
AUTH_OK, AUTH_SASL, AUTH_CONTINUE, AUTH_FINAL = 0, 10, 11, 12


class ProtocolError(Exception):
    """The other side does not speak the protocol."""


class Refused(Exception):  # an answer to the client, not a failure of ours
    """A client is told to go, with a SQLSTATE and a reason."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state
        self.message = message


class BackendError(Exception):
    """The database refused a session; ``packet`` is its own error message, whole."""

    def __init__(self, packet: bytes) -> None:
        super().__init__(error_text(packet))
        self.packet = packet


def message(kind: bytes, payload: bytes) -> bytes:
    """Return one message."""
    return kind + struct.pack("!I", len(payload) + 4) + payload


def authentication(code: int, payload: bytes = b"") -> bytes:
    """Return one authentication message."""
    return message(b"R", struct.pack("!I", code) + payload)


def error(state: str, text: str) -> bytes:
    """Return a fatal error."""
    fields = {"S": "FATAL", "V": "FATAL", "C": state, "M": text}
    payload = b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields.items())
    return message(b"E", payload + b"\0")


def error_fields(packet: bytes) -> dict[str, str]:
    """Return the fields of an error message by their letters."""
    parts = packet[5:].rstrip(b"\0").split(b"\0")
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in parts if part}


def error_text(packet: bytes) -> str:
    """Return what an error message says."""
    return error_fields(packet).get("M", "")


def startup(parameters: dict[str, str]) -> bytes:
    """Return a startup packet."""
    pairs = b"".join(
        key.encode() + b"\0" + value.encode() + b"\0" for key, value in parameters.items()
    )
    payload = struct.pack("!I", VERSION) + pairs + b"\0"
    return struct.pack("!I", len(payload) + 4) + payload


def key_data(pid: int, secret: int) -> bytes:
    """Return the message that tells a client by which key its queries are cancelled."""
    return message(b"K", struct.pack("!II", pid, secret))


def parse_key(payload: bytes) -> Key:
    """Return the process and the secret of such a message, or of a cancel request's end."""
    if len(payload) != 8:  # noqa: PLR2004  # two numbers
        raise ProtocolError("A cancellation key has an impossible length.")
    pid, secret = struct.unpack("!II", payload)
    return pid, secret


def cancel(key: Key) -> bytes:
    """Return a cancel request."""
    return struct.pack("!IIII", 16, CANCEL_REQUEST, *key)


def is_cancel(packet: bytes) -> bool:
    """Tell whether the first packet of a connection (without its length) is a cancel request."""
    return packet[:4] == struct.pack("!I", CANCEL_REQUEST)


def parse_startup(packet: bytes) -> dict[str, str]:
    """Return the parameters of a startup packet (without its length)."""
    if len(packet) < 4 or struct.unpack("!I", packet[:4])[0] >> 16 != VERSION >> 16:  # noqa: PLR2004
        raise ProtocolError("The protocol version is not 3.")
    parts = packet[4:].split(b"\0")
    words = [part.decode("utf-8", "replace") for part in parts]
    return {key: value for key, value in zip(words[::2], words[1::2], strict=False) if key}


async def read_packet(reader: asyncio.StreamReader) -> bytes:
    """Return one packet without a type, as a startup is, without its length."""
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    if not 8 <= length <= _LONGEST_STARTUP:  # noqa: PLR2004  # a length and a code at least
        raise ProtocolError("The startup packet has an impossible length.")
    return await reader.readexactly(length - 4)


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the type and the payload of one message."""
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    if not 4 <= length <= _LONGEST_MESSAGE:  # noqa: PLR2004  # the length counts itself
        raise ProtocolError("A message has an impossible length.")
    return kind, await reader.readexactly(length - 4)
