"""The folder that a local cloud keeps its data in: fit for it, or refused before it is touched."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from localcloud.errors import LocalCloudError

# What a local cloud writes first; a folder that holds neither is somebody else's.
_OURS = ("server.log", "lock")
_OF_NOBODY = {"lost+found"}
# A primary and its log; what an instance needs on its first day.
_LEAST_FREE = 48 * 2**20


def prepare(data: Path) -> None:
    """Make the folder where it is not there. Raises ``LocalCloudError`` when it is unfit."""
    try:
        made = not data.exists()
        data.mkdir(parents=True, exist_ok=True)
        reason = _unfit(data)
    except OSError as error:
        raise _refusal(data, error.strerror or str(error)) from None
    if reason:
        if made:
            data.rmdir()
        raise _refusal(data, reason)


def _unfit(data: Path) -> str:
    owner = data.stat().st_uid
    if owner != os.geteuid():
        return f"it belongs to {_user(owner)}, not to {_user(os.geteuid())}"
    entries = {entry.name for entry in data.iterdir()} - _OF_NOBODY
    if entries and entries.isdisjoint(_OURS):
        return "it holds files that no local cloud made"
    free = shutil.disk_usage(data).free
    if free < _LEAST_FREE:
        return f"{free >> 20} MiB are free there, and {_LEAST_FREE >> 20} are needed"
    with tempfile.TemporaryFile(dir=data):
        return ""


def _user(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return f"user {number}"


def _refusal(data: Path, reason: str) -> LocalCloudError:
    return LocalCloudError(
        f"The data directory {str(data)!r} cannot be used: {reason}. Nothing was touched. "
        "Choose another place with --data."
    )
