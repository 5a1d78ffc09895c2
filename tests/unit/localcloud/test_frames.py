"""Messages are found in a stream however it is cut into pieces."""

from __future__ import annotations

import pytest

from localcloud.proxy import protocol
from localcloud.proxy.frames import Frames

READY = protocol.message(b"Z", b"I")
ROW = protocol.message(b"D", b"Z\0\0\0\5I")
NOTHING = protocol.message(b"n", b"")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 100])
def test_the_last_ready_is_known(size: int) -> None:
    stream = ROW + NOTHING + protocol.message(b"Z", b"T") + ROW * 3 + READY
    frames = Frames()
    for at in range(0, len(stream), size):
        frames.feed(stream[at : at + size])
    assert (frames.status, frames.between) == (b"I", True)


def test_half_a_message_is_none() -> None:
    frames = Frames()
    frames.feed(READY[:-1])
    assert (frames.status, frames.between) == (b"", False)
    frames.feed(READY[-1:] + ROW[:3])
    assert (frames.status, frames.between) == (b"I", False)
