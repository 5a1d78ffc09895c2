"""Become a server that quits when its parent dies. Run as a script, with nothing imported.

Arguments: the parent's pid, the user and group to become (or -1), then the command. The
interpreter may lie where that user cannot reach, so the change of user happens in here.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, user: int, group: int, command: list[str]) -> None:
    """Drop to the user, ask for a death signal where there is one, become ``command``."""
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    # After the change of user, which would clear it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  # the whole point of this script


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
