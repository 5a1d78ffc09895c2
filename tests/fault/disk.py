"""A small disk for a local cloud to live on."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

MEGABYTES = 1200


def mountable() -> bool:
    """Tell whether this user may mount a file system."""
    return os.geteuid() == 0


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """Mount a file system in memory at a new folder."""
    path.mkdir(mode=0o711)
    options = f"size={MEGABYTES}m,mode=711"
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(path)]
    subprocess.run(mount, check=True)  # noqa: S603  # fixed words and a path of ours
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)  # noqa: S603, S607  # as above
