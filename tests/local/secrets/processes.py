"""What a process list would show of this process's descendants, looked at again and again."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
PAUSE = 0.1


class Watch:
    """Keeps every command line and environment that was ever to be seen.

    What a person gave to a command of Haven on purpose, in its own environment, is told to
    ``forgive``: there it is no leak. In the environment of what that command starts it is one.
    """

    def __init__(self, root: int) -> None:
        """Watch the descendants of a process."""
        self._root = root
        self._forgiven: dict[int, set[bytes]] = {}
        self._seen: dict[str, set[tuple[int, bytes]]] = {"cmdline": set(), "environ": set()}
        self._looks: Counter[int] = Counter()
        self._over = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look until the end of a block."""
        thread = threading.Thread(target=self._look_on, name="process watch")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def forgive(self, pid: int, environment: dict[str, str]) -> None:
        """Note what a person gave to one process."""
        self._forgiven[pid] = {f"{key}={value}".encode() for key, value in environment.items()}

    def has_seen(self, pid: int) -> bool:
        """Tell whether a process was looked at twice: what it became by ``exec`` was seen."""
        return self._looks.get(pid, 0) > 1

    def command_lines(self) -> bytes:
        """Return every command line seen."""
        return b"\n".join(text for _, text in sorted(self._seen["cmdline"]))

    def environments(self) -> bytes:
        """Return every variable seen that nobody gave on purpose."""
        return b"\n".join(
            variable
            for pid, text in sorted(self._seen["environ"])
            for variable in text.split(b"\0")
            if variable not in self._forgiven.get(pid, ())
        )

    def _look_on(self) -> None:
        while not self._over.wait(PAUSE):
            for pid in self._descendants():
                for kind, seen in self._seen.items():
                    with contextlib.suppress(OSError):
                        seen.add((pid, (PROC / str(pid) / kind).read_bytes()))
                self._looks[pid] += 1

    def _descendants(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in PROC.iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    children.setdefault(parent, []).append(int(entry.name))
        found, ahead = [], [self._root]
        while ahead:
            below = children.get(ahead.pop(), [])
            found += below
            ahead += below
        return found
