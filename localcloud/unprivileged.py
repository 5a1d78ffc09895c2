"""Servers never run as root: who owns their files, and how a child is started for them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localcloud import settings
from localcloud.errors import LocalCloudError

_LAUNCHER = Path(__file__).with_name("launcher.py")
# The death signal of a child follows the thread that started it, so one thread that lives as
# long as the process starts them all.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that servers run as; ``drop`` is false when it is already the current one."""

    name: str
    uid: int
    gid: int
    drop: bool

    def take(self, path: Path | int) -> None:
        """Give one file or directory to this user; a file may be told by its open number."""
        if not self.drop:
            return
        if isinstance(path, int):
            os.fchown(path, self.uid, self.gid)
        else:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def directory(self, path: Path, mode: int = 0o700) -> Path:
        """Make a directory of this user, parents left to the caller."""
        path.mkdir(mode=mode, exist_ok=True)
        path.chmod(mode)
        self.take(path)
        return path

    def write(self, path: Path, content: str | bytes, mode: int = 0o600) -> None:
        """Write a file of this user, replacing it in one step."""
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.chmod(mode)
        self.take(partial)
        partial.replace(path)

    def run(self, command: list[str | Path], *, stdin: str = "") -> str:
        """Run a program as this user to its end and return what it printed."""
        drop = self.drop
        done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603  # PostgreSQL's own
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=settings.child_environment(),
            timeout=120,
            user=self.uid if drop else None,
            group=self.gid if drop else None,
            extra_groups=[] if drop else None,
        )
        if done.returncode:
            raise LocalCloudError(f"{command[0]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def spawn(self, command: list[str | Path], log: Path) -> subprocess.Popen[bytes]:
        """Start a server as this user; it is told to quit when this process dies."""
        return _SPAWNER.submit(self._spawn, command, log).result()

    def _spawn(self, command: list[str | Path], log: Path) -> subprocess.Popen[bytes]:
        identity = [str(self.uid), str(self.gid)] if self.drop else ["-1", "-1"]
        with log.open("ab") as output:
            self.take(log)
            return subprocess.Popen(  # noqa: S603  # the PostgreSQL build in use
                [sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), *identity, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=settings.child_environment(),
                start_new_session=True,
            )


def server_owner() -> Owner:
    """Return the user servers run as: the current one, or postgres or nobody under root."""
    if not settings.running_as_root():
        current = pwd.getpwuid(os.geteuid())
        return Owner(current.pw_name, current.pw_uid, current.pw_gid, drop=False)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(name, entry.pw_uid, entry.pw_gid, drop=True)
    raise LocalCloudError("Running as root needs a user `postgres` or `nobody` for the servers.")


def require_traversable(path: Path, owner: Owner) -> None:
    """Raise ``LocalCloudError`` when ``owner`` cannot reach ``path``."""
    if not owner.drop:
        return
    try:
        owner.run([shutil.which("test") or "/usr/bin/test", "-x", path])
    except LocalCloudError as error:
        raise LocalCloudError(
            f"The user {owner.name}, who runs the servers, cannot enter {path}; choose another "
            "place with --data."
        ) from error
