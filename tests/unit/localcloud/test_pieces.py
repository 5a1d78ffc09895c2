"""Small parts: checksums, latency, addresses, what moto has to have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import configuration, identifier
from localcloud.addresses import Addresses
from localcloud.latency import Latency, UnknownKindError


def test_crc32c() -> None:
    # RFC 3720, appendix B.4.
    assert identifier.crc32c(b"123456789") == 0xE3069283
    assert identifier.crc32c(bytes(32)) == 0x8A9136AA


def test_latency_takes_known_kinds_only() -> None:
    latency = Latency({"instance": 2})
    for wrong in ({"none": 1.0}, {"api": -1.0}, {"api": float("nan")}):
        with pytest.raises(UnknownKindError):
            latency.update(wrong)
    assert latency.of("instance") == 2
    assert latency.of("api") == 0


def test_latency_ends_with_the_cloud() -> None:
    latency = Latency()
    latency.stop()
    assert latency.wait(60)


def test_addresses_are_not_given_twice() -> None:
    pool = Addresses()
    taken = {pool.take() for _ in range(5)}
    pool.close()
    assert len(taken) == 5


def test_two_clouds_have_blocks_of_their_own() -> None:
    one, other = Addresses(), Addresses()
    first, second = one.take(), other.take()
    one.close()
    other.close()
    assert first != second


def test_values_are_quoted() -> None:
    assert configuration.quoted("it's a \\ test") == "'it''s a \\\\ test'"


def test_the_process_module_does_not_load_moto() -> None:
    code = "import sys, localcloud.process; sys.exit('moto' in sys.modules)"
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0
