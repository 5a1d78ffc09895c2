"""Where benchmarks stand: the project, its command line, and a folder that goes away again."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HAVEN = (
    sys.executable,
    "-c",
    "import sys; from haven.cli import main; sys.argv[0] = 'haven'; main()",
)


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder in memory where there is one, and remove it at the end."""
    memory = Path("/dev/shm")  # noqa: S108  # a private directory is made in it
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=memory if memory.is_dir() else None))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
