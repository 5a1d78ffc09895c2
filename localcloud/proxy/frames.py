"""Finding the messages in what a database sends, without changing or holding back a byte."""

from __future__ import annotations

import struct

_HEAD = 5
_READY = b"Z"


class Frames:
    """Follows one stream of messages; knows the last ReadyForQuery and where messages end."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._kind = b""
        self._left = 0
        self.status = b""

    @property
    def between(self) -> bool:
        """Tell whether the stream stands between two messages."""
        return not self._head and not self._left

    def feed(self, piece: bytes) -> None:
        """Go on by one piece; ``status`` is then that of the last ReadyForQuery in it or before."""
        at = 0
        while at < len(piece):
            if self._left:
                step = min(self._left, len(piece) - at)
                self._left -= step
                at += step
                if not self._left and self._kind == _READY:
                    self.status = piece[at - 1 : at]
                continue
            step = min(_HEAD - len(self._head), len(piece) - at)
            self._head += piece[at : at + step]
            at += step
            if len(self._head) == _HEAD:
                self._kind = bytes(self._head[:1])
                self._left = max(0, struct.unpack("!I", self._head[1:])[0] - 4)
                self._head.clear()
