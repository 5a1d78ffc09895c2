"""A system identifier of its own for every cluster copied from the template.

Copies would share the template's identifier, and a standby of one would then accept WAL of
another. The identifier lies at the head of ``pg_control``, under a checksum, and in the long
header of each WAL segment.
"""

from __future__ import annotations

import re
import secrets
import struct
from pathlib import Path

from localcloud.errors import ClusterError

_POLYNOMIAL = 0x82F63B78
_LONG_HEADER_IDENTIFIER = 24
_SEGMENT = re.compile(r"[0-9A-F]{24}")


def _table() -> list[int]:
    rows = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = (value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1
        rows.append(value)
    return rows


_TABLE = _table()


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of some bytes, as PostgreSQL computes it."""
    value = 0xFFFFFFFF
    for byte in content:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def checksum_offset(control: bytes) -> int:
    """Return where ``pg_control`` keeps its checksum: the one place where it fits."""
    value = 0xFFFFFFFF
    for offset, byte in enumerate(control[:1024]):
        if offset % 4 == 0 and offset > 64:  # noqa: PLR2004  # past the fixed head
            (stored,) = struct.unpack_from("<I", control, offset)
            if stored == value ^ 0xFFFFFFFF:
                return offset
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    raise ClusterError("pg_control has no valid checksum; the template is damaged.")


def renew(data: Path) -> int:
    """Give the stopped cluster in ``data`` a new identifier and return it."""
    path = data / "global" / "pg_control"
    control = bytearray(path.read_bytes())
    offset = checksum_offset(bytes(control))
    fresh = secrets.randbits(62) | (1 << 62)
    struct.pack_into("<Q", control, 0, fresh)
    struct.pack_into("<I", control, offset, crc32c(bytes(control[:offset])))
    with path.open("r+b") as file:
        file.write(control)
    for segment in (data / "pg_wal").iterdir():
        if _SEGMENT.fullmatch(segment.name):
            with segment.open("r+b") as file:
                file.seek(_LONG_HEADER_IDENTIFIER)
                file.write(struct.pack("<Q", fresh))
    return fresh
