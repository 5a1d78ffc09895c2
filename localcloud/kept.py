"""A directory of files of one moment, which is removed when nobody needs it any more."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from localcloud.errors import ClusterError


class Kept:
    """One copy. Who reads it holds it; a copy that is unwanted goes with its last reader."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._readers = 0
        self._unwanted = False

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Keep the files for a block. Raises ``ClusterError`` when they are gone."""
        with self._lock:
            if self._unwanted:
                raise ClusterError(f"The copy {self.directory.name} was deleted.")
            self._readers += 1
        try:
            yield self.directory
        finally:
            self._let_go()

    def secured(self) -> ExitStack:
        """Keep the files from now on, until what is returned is closed."""
        stack = ExitStack()
        stack.enter_context(self.held())
        return stack

    def _let_go(self) -> None:
        with self._lock:
            self._readers -= 1
            last = self._unwanted and not self._readers
        if last:
            self._remove()

    def discard(self) -> None:
        """Remove the files, now or when they are read no more."""
        with self._lock:
            self._unwanted = True
            read = self._readers
        if not read:
            self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
