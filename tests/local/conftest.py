"""A local cloud for the session."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import process


@pytest.fixture(scope="session")
def cloud() -> Iterator[process.Running]:
    """Start a local cloud, in memory where the system has a place for it."""
    shared = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
    parent = shared if os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="haven-tests-", dir=parent) as directory:
        Path(directory).chmod(0o711)
        with process.start(Path(directory)) as running:
            yield running
